# A Cloud Run service with its own account, and an alert for what the platform kills.

module "account" {
  source = "../account"

  project   = var.project
  name      = var.name
  buckets   = var.buckets
  publishes = var.publishes
}

resource "google_cloud_run_v2_service" "this" {
  count = var.image == null ? 0 : 1

  name     = var.name
  location = var.region
  ingress  = var.is_public ? "INGRESS_TRAFFIC_ALL" : "INGRESS_TRAFFIC_INTERNAL_ONLY"

  # Rather than a grant to allUsers, which an organization that restricts sharing to its own domains refuses.
  invoker_iam_disabled = var.is_public

  # It holds nothing that could be lost.
  deletion_protection = false

  template {
    service_account                  = module.account.email
    execution_environment            = "EXECUTION_ENVIRONMENT_GEN2"
    timeout                          = "${var.timeout_s}s"
    max_instance_request_concurrency = var.concurrency

    scaling {
      min_instance_count = 0
      max_instance_count = var.max_instances
    }

    containers {
      image = var.image

      resources {
        limits            = { cpu = tostring(var.cpu), memory = var.memory }
        cpu_idle          = true # billed while it answers, and not between
        startup_cpu_boost = true
      }

      dynamic "env" {
        # functions-framework answers as many requests at once as it has threads, and ends one itself in time.
        for_each = merge(var.environment, { THREADS = tostring(var.concurrency), CLOUD_RUN_TIMEOUT_SECONDS = tostring(var.timeout_s) })
        content {
          name  = env.key
          value = env.value
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version] # who looked last
  }

  depends_on = [module.account]
}

# A message in the log, not a metric: no condition is billed for it, and it says which instance it was.
resource "google_monitoring_alert_policy" "killed" {
  display_name          = "${var.name} was killed"
  combiner              = "OR"
  severity              = "WARNING"
  notification_channels = var.notification_channels

  conditions {
    display_name = "the platform ended an instance or a request of ${var.name}"
    condition_matched_log {
      filter = <<-EOT
        resource.type="cloud_run_revision"
        resource.labels.service_name="${var.name}"
        (textPayload:"Memory limit of" OR textPayload:"maximum request timeout" OR textPayload:"Container terminated on signal" OR textPayload:"malformed or connection to the instance had an error")
      EOT
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = "Out of memory or out of time. The message is delivered again; see docs/operations.md, *A unit was killed*."
  }
}
