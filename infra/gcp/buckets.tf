locals {
  day_s = 24 * 3600

  # What shared/gcp/signing.py signs, a browser must send, and may send only what is named here: no wildcard counts.
  upload_headers = [
    "Content-Range", "Content-Type", "Location", "Range", "X-Goog-Content-Length-Range", "X-Goog-If-Generation-Match",
    "X-Goog-Resumable",
  ]

  # The owner, the trace, and the options of every kind (shared/options.py).
  upload_metadata = [
    "alternatives", "clip_id", "dancers", "difficulty", "energy", "label", "method", "min_counts", "min_probability",
    "owner", "quality", "seed", "style", "styles", "teacher", "tempo_bpm", "traceparent",
  ]

  buckets = {
    uploads = {
      days        = var.keep_days
      cors        = { methods = ["POST", "PUT"], headers = concat(local.upload_headers, [for name in local.upload_metadata : "X-Goog-Meta-${name}"]) }
      soft_delete = 0
    }
    features = { days = var.keep_days, cors = null, soft_delete = 0 }
    results = {
      days        = var.keep_days
      cors        = { methods = ["GET", "HEAD"], headers = ["Accept-Ranges", "Content-Length", "Content-Range", "Content-Type", "ETag"] }
      soft_delete = 0
    }
    # Made by hand, and by nobody again: what is deleted or overwritten can be had back.
    library = { days = null, cors = null, soft_delete = 7 * local.day_s }
  }

  bucket = { for name, bucket in google_storage_bucket.this : name => bucket.name }

  # Known from a resource rather than a data source: to read the project's own description takes a permission more.
  project_number = google_storage_bucket.this["uploads"].project_number
}

resource "google_storage_bucket" "this" {
  #checkov:skip=CKV_GCP_62:usage logs are a bucket more to keep, late and incomplete; who needs them switches on Cloud Storage's data access audit logs
  for_each = local.buckets

  name     = "${var.project}-${each.key}"
  location = var.region

  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  force_destroy               = !var.deletion_protection

  versioning {
    enabled = each.value.days == null
  }

  # What a person deletes is gone; zero also spares the bytes of everything that expires being billed for a week more.
  soft_delete_policy {
    retention_duration_seconds = each.value.soft_delete
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.days == null ? [] : [each.value.days]
    content {
      action {
        type = "Delete"
      }
      condition {
        age = lifecycle_rule.value
      }
    }
  }

  dynamic "lifecycle_rule" {
    for_each = each.value.days == null ? [30] : []
    content {
      action {
        type = "Delete"
      }
      condition {
        days_since_noncurrent_time = lifecycle_rule.value
        with_state                 = "ARCHIVED"
      }
    }
  }

  lifecycle_rule {
    action {
      type = "AbortIncompleteMultipartUpload"
    }
    condition {
      age = 1
    }
  }

  dynamic "cors" {
    for_each = each.value.cors == null || length(var.origins) == 0 ? [] : [each.value.cors]
    content {
      origin          = var.origins
      method          = cors.value.methods
      response_header = cors.value.headers
      max_age_seconds = 3600
    }
  }

  depends_on = [google_project_service.on]
}

# The account by which Cloud Storage publishes is made when somebody asks for it.
data "google_storage_project_service_account" "this" {
  depends_on = [google_project_service.on]
}

resource "google_pubsub_topic_iam_member" "storage_publishes" {
  topic  = google_pubsub_topic.this["uploads"].name
  role   = "roles/pubsub.publisher"
  member = "serviceAccount:service-${local.project_number}@gs-project-accounts.iam.gserviceaccount.com"

  depends_on = [data.google_storage_project_service_account.this]
}

resource "google_storage_notification" "uploads" {
  bucket         = google_storage_bucket.this["uploads"].name
  topic          = google_pubsub_topic.this["uploads"].id
  payload_format = "JSON_API_V1"
  event_types    = ["OBJECT_FINALIZE"]

  depends_on = [google_pubsub_topic_iam_member.storage_publishes]
}
