output "account" {
  description = "The account that it acts by: email, member, name."
  value       = { email = module.account.email, member = module.account.member, name = module.account.name }
}

output "uri" {
  description = "Where it answers; null while there is no image."
  value       = one(google_cloud_run_v2_service.this[*].uri)
}

output "name" {
  description = "The service's name; null while there is no image."
  value       = one(google_cloud_run_v2_service.this[*].name)
}

output "grants" {
  description = "Everything that its account was given here."
  value       = module.account.grants
}

output "planned" {
  description = "What tests look at."
  value = one([for service in google_cloud_run_v2_service.this : {
    image        = service.template[0].containers[0].image
    ingress      = service.ingress
    asks_nobody  = coalesce(service.invoker_iam_disabled, false)
    timeout_s    = tonumber(trimsuffix(service.template[0].timeout, "s"))
    most         = service.template[0].scaling[0].max_instance_count
    least        = service.template[0].scaling[0].min_instance_count
    concurrency  = service.template[0].max_instance_request_concurrency
    environment  = { for variable in service.template[0].containers[0].env : variable.name => variable.value }
    own_account  = service.template[0].service_account == module.account.email
    is_throttled = service.template[0].containers[0].resources[0].cpu_idle
  }])
}
