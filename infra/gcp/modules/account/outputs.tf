output "email" {
  description = "The account's address."
  value       = google_service_account.this.email
}

output "member" {
  description = "The account as a member of policies."
  value       = google_service_account.this.member
}

output "name" {
  description = "The account as a resource."
  value       = google_service_account.this.name
}

output "grants" {
  description = "Everything that the account was given here, as planned: role, and on what."
  value = sort(concat(
    [for grant in google_storage_bucket_iam_member.this : "${grant.role} on bucket ${grant.bucket}"],
    [for grant in google_pubsub_topic_iam_member.publishes : "${grant.role} on topic ${grant.topic}"],
    ["${google_project_iam_member.database.role} where ${google_project_iam_member.database.condition[0].expression}"],
  ))
}
