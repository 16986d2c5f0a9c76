output "api" {
  description = "Where the app calls; null before there are images."
  value       = module.api.uri
}

output "registry" {
  description = "Where the images are pushed."
  value       = local.registry
}

output "buckets" {
  description = "The buckets, by what is in them."
  value       = local.bucket
}

output "gpu_job" {
  description = "The Cloud Run job that infers; null before there are images."
  value       = one(google_cloud_run_v2_job.gpu[*].name)
}

output "kept_by_destroy" {
  description = "What terraform destroy leaves in the project, and why; none of it costs anything but for the backups and the library's deleted clips, and those end by themselves within a week."
  value = {
    "enabled APIs"              = "Something else may use them; one that is enabled costs nothing."
    "people's accounts"         = "Identity Platform cannot be switched off, and accounts are not ours to delete. Free up to 50,000 who sign in within a month."
    "backups of the database"   = "The last seven days' stay so that a destruction by mistake can be undone; each is deleted when it is seven days old."
    "the library's soft delete" = "The clips of a destroyed library can be restored for seven days, and are billed as storage until then."
    "logs"                      = "_Default keeps them for 30 days, free of charge; the bucket of what the platform killed is emptied seven days after it was deleted."
    "the bucket of this state"  = "Made by hand, if there is one; it says how to build everything again."
    "the Firebase project"      = "Added by hand; it is a label on the project, and costs nothing."
  }
}
