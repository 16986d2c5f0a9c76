# The worker that drains the backlog, on an L4. It is started by the functions, and ends when nothing is left.

locals {
  gpu_job      = "gpu-job"
  gpu_starters = length(var.images) == 0 ? {} : { dispatch = module.dispatch.account.member, sweep = module.sweep.account.member }
  gpu_starts = {
    start = "roles/run.jobsExecutor"
    # How many are on their way is looked at before another is started: the API has no request id.
    count = "roles/run.viewer"
  }
}

module "gpu_account" {
  source = "./modules/account"

  project = var.project
  name    = "gpu_job"

  buckets = {
    (local.bucket["uploads"])  = local.reads # cuts clips, lays overlays
    (local.bucket["features"]) = local.reads
    (local.bucket["results"])  = local.writes
    (local.bucket["library"])  = local.writes # adds a teacher's clip, may find its network there
  }
}

resource "google_cloud_run_v2_job" "gpu" {
  count = length(var.images) == 0 ? 0 : 1

  name     = local.gpu_job
  location = var.region

  deletion_protection = false # it holds nothing that could be lost

  template {
    task_count  = 1 # as many executions as there are slots, each of one task
    parallelism = 1

    template {
      service_account       = module.gpu_account.email
      execution_environment = "EXECUTION_ENVIRONMENT_GEN2"
      timeout               = "3600s" # the longest that a task with a GPU may last
      max_retries           = 3       # it fails on purpose where it was stopped with work left

      # A task that is lost is taken up by the next: redundancy would cost half as much again.
      gpu_zonal_redundancy_disabled = true

      node_selector {
        accelerator = "nvidia-l4"
      }

      containers {
        image = var.images["gpu_job"]

        resources {
          # The least that an L4 asks for.
          limits = { cpu = "4", memory = "16Gi", "nvidia.com/gpu" = "1" }
        }

        dynamic "env" {
          for_each = merge(local.settings, var.network == "" ? {} : { DANCEBITS_NETWORK = var.network })
          content {
            name  = env.key
            value = env.value
          }
        }
      }
    }
  }

  lifecycle {
    ignore_changes = [client, client_version]
  }

  depends_on = [module.gpu_account, google_project_service.on]
}

resource "google_cloud_run_v2_job_iam_member" "starts" {
  for_each = { for pair in setproduct(keys(local.gpu_starters), keys(local.gpu_starts)) : join(" may ", pair) => pair }

  name     = google_cloud_run_v2_job.gpu[0].name
  location = var.region
  role     = local.gpu_starts[each.value[1]]
  member   = local.gpu_starters[each.value[0]]
}
