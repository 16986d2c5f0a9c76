# What the app calls. It asks who is calling itself: by the caller's Firebase token.

locals {
  api_settings = {
    DANCEBITS_ORIGINS           = join(",", var.origins)
    DANCEBITS_TEACHERS          = join(",", var.teachers)
    DANCEBITS_PROJECT_NUMBER    = tostring(local.project_number)
    DANCEBITS_APP_CHECK         = try(var.app_check.enforcement, "") == "ENFORCED" ? "required" : "off"
    DANCEBITS_UPLOADS_A_DAY     = tostring(var.limits.uploads_a_day)
    DANCEBITS_JOBS_IN_FLIGHT    = tostring(var.limits.jobs_in_flight)
    DANCEBITS_REQUESTS_A_MINUTE = tostring(var.limits.requests_a_minute)
  }
}

module "api" {
  source = "./modules/service"

  name      = "api"
  image     = lookup(var.images, "api", null)
  is_public = true # the only one: a phone has no Google account to be let in by

  buckets = {
    (local.bucket["uploads"])  = local.writes # signs uploads, and deletes what a person deletes
    (local.bucket["features"]) = local.writes
    (local.bucket["results"])  = local.writes
  }

  concurrency   = 16 # it waits for Firestore
  max_instances = lookup(var.max_instances, "api", 5)
  timeout_s     = 60

  project               = var.project
  region                = var.region
  environment           = merge(local.settings, local.api_settings)
  notification_channels = local.channels
  depends_on            = [google_pubsub_topic.this, google_storage_bucket.this]
}

# It signs URLs by asking IAM for a signature of its own: there is no key that could be stolen.
resource "google_service_account_iam_member" "api_signs" {
  service_account_id = module.api.account.name
  role               = "roles/iam.serviceAccountTokenCreator"
  member             = module.api.account.member
}
