output "account" {
  description = "The account that it acts by: email, member, name."
  value       = module.service.account
}

output "push_account" {
  description = "The account by which Pub/Sub calls it: email, member."
  value       = { email = google_service_account.push.email, member = google_service_account.push.member }
}

output "name" {
  description = "The service's name; null while there is no image."
  value       = module.service.name
}

output "dead_topics" {
  description = "The topics of its dead letters, by subscription."
  value       = { for name, topic in google_pubsub_topic.dead : name => topic.id }
}

output "grants" {
  description = "Everything that its account was given here."
  value       = module.service.grants
}

output "planned" {
  description = "What tests look at."
  value       = module.service.planned
}

output "subscriptions" {
  description = "What delivers to it, as planned, for tests."
  value = { for name, subscription in google_pubsub_subscription.push : name => {
    topic          = subscription.topic
    ack_deadline_s = subscription.ack_deadline_seconds
    keep           = subscription.message_retention_duration
    ttl            = subscription.expiration_policy[0].ttl
    retry          = [subscription.retry_policy[0].minimum_backoff, subscription.retry_policy[0].maximum_backoff]
    dead_letters   = one(subscription.dead_letter_policy[*].dead_letter_topic)
    attempts       = one(subscription.dead_letter_policy[*].max_delivery_attempts)
    pushed_by      = subscription.push_config[0].oidc_token[0].service_account_email
    is_wrapped     = length(subscription.push_config[0].no_wrapper) == 0
  } }
}

output "replays" {
  description = "What keeps its dead letters, as planned, for tests."
  value = { for name, subscription in google_pubsub_subscription.replay : subscription.name => {
    topic     = subscription.topic
    ttl       = subscription.expiration_policy[0].ttl
    is_pulled = length(subscription.push_config) == 0
  } }
}

output "callers" {
  description = "Who may call it, as planned, for tests: role and member."
  value       = [for grant in google_cloud_run_v2_service_iam_member.push : "${grant.role} to ${grant.member}"]
}
