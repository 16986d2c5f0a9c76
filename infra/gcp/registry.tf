locals {
  registry = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}"
}

# Tags may be moved, which harms nobody: what runs is named by its digest. (An image with an immutable tag could not be
# cleaned up, and images are most of what an idle system costs.)
resource "google_artifact_registry_repository" "images" {
  #checkov:skip=CKV_GCP_84:Google's own keys encrypt it; the images hold no secret, and are built from what is public
  repository_id = "dancebits"
  location      = var.region
  format        = "DOCKER"
  description   = "The images of the units."

  cleanup_policy_dry_run = false

  cleanup_policies {
    id     = "delete-what-is-old"
    action = "DELETE"
    condition {
      tag_state  = "ANY"
      older_than = "604800s"
    }
  }

  # Before it in rank, whatever their age: what runs, and what it can be turned back to.
  cleanup_policies {
    id     = "keep-the-last"
    action = "KEEP"
    most_recent_versions {
      keep_count = 2
    }
  }

  depends_on = [google_project_service.on]
}
