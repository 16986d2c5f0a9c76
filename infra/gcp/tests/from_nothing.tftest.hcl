# From nothing: a project and a region, before there is an image. Then what destroying asks for.

mock_provider "google" {
  # What is made up must have the form that the provider asks of it where it is used.
  mock_resource "google_service_account" {
    defaults = { name = "projects/my-studio/serviceAccounts/made-up@my-studio.iam.gserviceaccount.com" }
  }
}

variables {
  project = "my-studio"
  region  = "europe-west1"
}

run "a_project_and_a_region_make_everything_but_what_runs" {
  expect_failures = [check.somebody_watches_the_bill, check.somebody_is_told]

  assert {
    condition = module.intake.planned == null && module.api.planned == null && length(google_cloud_run_v2_job.gpu) == 0 && alltrue([
      for function in [module.intake, module.audio, module.pose, module.dispatch, module.sweep] : length(function.subscriptions) == 0
    ])
    error_message = "Something runs of which there is no image."
  }

  assert {
    condition     = output.registry == "europe-west1-docker.pkg.dev/my-studio/dancebits" && length(google_storage_bucket.this) == 4 && length(google_pubsub_topic.this) == 5
    error_message = "There is nowhere to push the images to."
  }

  assert {
    condition     = length(google_billing_budget.month) == 0 && length(google_firebase_app_check_service_config.this) == 0
    error_message = "Something is made that was not asked for."
  }

  assert {
    condition     = alltrue([for api in values(google_project_service.on) : !api.disable_on_destroy])
    error_message = "Destroying the system would take what something else uses."
  }
}

run "a_studio_may_let_anybody_in" {
  command         = plan
  expect_failures = [check.somebody_watches_the_bill, check.somebody_is_told]

  variables {
    open_signup = true
  }

  assert {
    condition     = !google_identity_platform_config.this.client[0].permissions[0].disabled_user_signup
    error_message = "Accounts are the studio's to make although it said otherwise."
  }
}

run "nothing_holds_on_once_protection_is_off" {
  command         = plan
  expect_failures = [check.somebody_watches_the_bill, check.somebody_is_told]

  variables {
    deletion_protection = false
  }

  assert {
    condition = (
      alltrue([for bucket in values(google_storage_bucket.this) : bucket.force_destroy])
      && google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_DISABLED"
      && google_firestore_database.this.deletion_policy == "DELETE"
    )
    error_message = "terraform destroy would leave what costs."
  }
}
