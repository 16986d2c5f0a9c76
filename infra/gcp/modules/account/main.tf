# The account of one unit, with what it may do, each on the very resource.

resource "google_service_account" "this" {
  account_id   = "dancebits-${replace(var.name, "_", "-")}"
  display_name = "DanceBits ${var.name}"
}

resource "google_storage_bucket_iam_member" "this" {
  for_each = var.buckets

  bucket = each.key
  role   = each.value
  member = google_service_account.this.member
}

resource "google_pubsub_topic_iam_member" "publishes" {
  for_each = var.publishes

  topic  = each.key
  role   = "roles/pubsub.publisher"
  member = google_service_account.this.member
}

# Firestore has no policy of its own, only the project's; the condition narrows the role to the one database.
resource "google_project_iam_member" "database" {
  project = var.project
  role    = "roles/datastore.user"
  member  = google_service_account.this.member

  condition {
    title       = "the database of DanceBits"
    description = "A policy of its own a Firestore database does not have."
    expression  = "resource.name == \"projects/${var.project}/databases/(default)\""
  }
}
