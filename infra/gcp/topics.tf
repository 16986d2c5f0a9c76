# As shared/events.py names them, which the publishers go by.

locals {
  topics = toset(["uploads", "audio-requests", "pose-requests", "features", "ticks"])
  topic  = { for name, topic in google_pubsub_topic.this : name => topic.id }

  pubsub_agent = "serviceAccount:service-${local.project_number}@gcp-sa-pubsub.iam.gserviceaccount.com"
}

resource "google_pubsub_topic" "this" {
  #checkov:skip=CKV_GCP_83:Google's own keys encrypt it; one of ours would cost and could be lost, and messages hold only names
  for_each = local.topics

  name = each.key

  message_storage_policy {
    allowed_persistence_regions = [var.region]
  }

  depends_on = [google_project_service.on]
}
