# What the project must be able to do. Automatic scanning (containerscanning) is not among it, for it bills each image
# that is pushed: a build asks for the scan of those that it means to release.

locals {
  apis = toset([
    "artifactregistry", "billingbudgets", "cloudbuild", "cloudresourcemanager", "cloudscheduler",
    "containeranalysis", "firebase", "firebaseappcheck", "firebaserules", "firebasestorage", "firestore", "iam",
    "iamcredentials", "identitytoolkit", "logging", "monitoring", "ondemandscanning", "pubsub", "run", "serviceusage",
    "storage",
  ])
}

resource "google_project_service" "on" {
  for_each = local.apis

  service = "${each.key}.googleapis.com"

  # Others in the project may use it, and one that nobody uses costs nothing.
  disable_on_destroy = false
}
