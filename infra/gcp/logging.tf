# What the platform ends, it ends without a word from us: out of memory, out of time, or moved away. Its own messages
# say so; they are counted by unit and reason, and kept for three months.

locals {
  platform_kills = <<-EOT
    resource.type=("cloud_run_revision" OR "cloud_run_job")
    (
      textPayload:("Memory limit of" OR "maximum request timeout" OR "maximum timeout of" OR "Container terminated on signal" OR "malformed or connection to the instance had an error")
      OR (resource.type="cloud_run_job" AND log_id("cloudaudit.googleapis.com/system_event") AND severity>=ERROR)
    )
  EOT
}

resource "google_logging_metric" "platform_kills" {
  name        = "dancebits/platform_kills"
  description = "Instances, requests and executions that Cloud Run ended."
  filter      = local.platform_kills

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    # Which function or job it was, the resource says.
    labels {
      key         = "reason"
      description = "The platform's words."
    }
  }

  label_extractors = {
    reason = "REGEXP_EXTRACT(textPayload, \"(Memory limit|maximum request timeout|maximum timeout|terminated on signal|malformed or connection)\")"
  }

  depends_on = [google_project_service.on]
}

resource "google_logging_project_bucket_config" "platform_kills" {
  project        = var.project
  location       = var.region
  bucket_id      = "dancebits-platform-kills"
  description    = "What Cloud Run ended."
  retention_days = 90

  depends_on = [google_project_service.on]
}

# A sink to a bucket of the same project writes without an account of its own.
resource "google_logging_project_sink" "platform_kills" {
  name                   = "dancebits-platform-kills"
  destination            = "logging.googleapis.com/${google_logging_project_bucket_config.platform_kills.id}"
  filter                 = local.platform_kills
  unique_writer_identity = true
}
