# A function, what calls it, and what becomes of the messages that it cannot handle.

locals {
  ack_deadline_s = 600 # the longest that Pub/Sub waits for an answer to a push

  deliveries   = var.image == null ? {} : var.triggers
  dead_letters = { for name, trigger in var.triggers : name => trigger if trigger.has_dead_letters }
}

module "service" {
  source = "../service"

  project               = var.project
  region                = var.region
  name                  = var.name
  image                 = var.image
  environment           = var.environment
  buckets               = var.buckets
  publishes             = var.publishes
  cpu                   = var.cpu
  memory                = var.memory
  concurrency           = var.concurrency
  max_instances         = var.max_instances
  timeout_s             = var.timeout_s
  notification_channels = var.notification_channels
}

# --- who may call it: Pub/Sub, by an account that can do nothing else

resource "google_service_account" "push" {
  account_id   = "dancebits-${var.name}-push"
  display_name = "DanceBits: pushes to ${var.name}"
}

resource "google_service_account_iam_member" "pubsub_pushes" {
  service_account_id = google_service_account.push.name
  role               = "roles/iam.serviceAccountOpenIdTokenCreator"
  member             = var.pubsub_agent
}

resource "google_cloud_run_v2_service_iam_member" "push" {
  count = var.image == null ? 0 : 1

  name     = module.service.name
  location = var.region
  role     = "roles/run.invoker"
  member   = google_service_account.push.member
}

# --- what calls it

resource "google_pubsub_subscription" "push" {
  for_each = local.deliveries

  name                       = each.key
  topic                      = each.value.topic
  ack_deadline_seconds       = local.ack_deadline_s
  message_retention_duration = "${each.value.keep_s}s"

  push_config {
    # In Pub/Sub's envelope, as shared/events.py reads it: a bucket's notification is no CloudEvent, and would be none
    # without it either. functions-framework finds the topic in the path.
    push_endpoint = "${module.service.uri}/${each.value.topic}"
    oidc_token {
      service_account_email = google_service_account.push.email
      audience              = module.service.uri
    }
  }

  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  expiration_policy {
    ttl = "" # never: a studio may close for the summer
  }

  dynamic "dead_letter_policy" {
    for_each = each.value.has_dead_letters ? [google_pubsub_topic.dead[each.key].id] : []
    content {
      dead_letter_topic     = dead_letter_policy.value
      max_delivery_attempts = var.max_delivery_attempts
    }
  }

  depends_on = [google_cloud_run_v2_service_iam_member.push, google_service_account_iam_member.pubsub_pushes]
}

# --- dead letters

resource "google_pubsub_topic" "dead" {
  #checkov:skip=CKV_GCP_83:Google's own keys encrypt it; one of ours would cost and could be lost, and messages hold only names
  for_each = local.dead_letters

  name = "${each.key}-dead"

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }
}

# Kept for a person, whatever the sweep made of them: docs/operations.md says how they are published again.
resource "google_pubsub_subscription" "replay" {
  for_each = local.dead_letters

  name                       = "${google_pubsub_topic.dead[each.key].name}-replay"
  topic                      = google_pubsub_topic.dead[each.key].id
  ack_deadline_seconds       = 60
  message_retention_duration = "604800s"

  expiration_policy {
    ttl = ""
  }
}

resource "google_pubsub_topic_iam_member" "pubsub_buries" {
  for_each = local.dead_letters

  topic  = google_pubsub_topic.dead[each.key].name
  role   = "roles/pubsub.publisher"
  member = var.pubsub_agent
}

resource "google_pubsub_subscription_iam_member" "pubsub_takes" {
  for_each = { for name, trigger in local.deliveries : name => trigger if trigger.has_dead_letters }

  subscription = google_pubsub_subscription.push[each.key].name
  role         = "roles/pubsub.subscriber"
  member       = var.pubsub_agent
}
