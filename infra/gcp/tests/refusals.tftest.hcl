# What is refused before anything is asked of the cloud: each validation of a variable by a value that it is there for.

mock_provider "google" {}

variables {
  project         = "my-studio"
  region          = "europe-west1"
  billing_account = "ABCDEF-012345-6789AB"
  alert_emails    = ["dancer@example.com"]
  origins         = ["https://app.example.com"]
  app_check       = { enforcement = "ENFORCED" }
  images = {
    intake   = "europe-west1-docker.pkg.dev/my-studio/dancebits/intake@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    audio    = "europe-west1-docker.pkg.dev/my-studio/dancebits/audio@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    pose     = "europe-west1-docker.pkg.dev/my-studio/dancebits/pose@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    dispatch = "europe-west1-docker.pkg.dev/my-studio/dancebits/dispatch@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    sweep    = "europe-west1-docker.pkg.dev/my-studio/dancebits/sweep@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    api      = "europe-west1-docker.pkg.dev/my-studio/dancebits/api@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    gpu_job  = "europe-west1-docker.pkg.dev/my-studio/dancebits/gpu_job@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}

run "a_region_without_an_l4_is_refused" {
  command         = plan
  expect_failures = [var.region]

  variables {
    region = "europe-west3"
  }
}

run "a_project_that_cannot_be_is_refused" {
  command         = plan
  expect_failures = [var.project]

  variables {
    project = "My_Studio"
  }
}

run "a_tag_is_refused" {
  command         = plan
  expect_failures = [var.images]

  variables {
    images = { intake = "registry/intake:latest", audio = "registry/audio:latest", pose = "registry/pose:latest", dispatch = "registry/dispatch:latest", sweep = "registry/sweep:latest", api = "registry/api:latest", gpu_job = "registry/gpu_job:latest" }
  }
}

run "a_digest_that_is_cut_short_is_refused" {
  command         = plan
  expect_failures = [var.images]

  variables {
    images = { intake = "registry/intake@sha256:0123" }
  }
}

run "some_images_without_the_others_are_refused" {
  command         = plan
  expect_failures = [var.images]

  variables {
    images = { intake = "registry/intake@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" }
  }
}

run "an_origin_without_tls_is_refused" {
  command         = plan
  expect_failures = [var.origins]

  variables {
    origins = ["http://app.example.com"]
  }
}

run "any_origin_is_refused" {
  command         = plan
  expect_failures = [var.origins]

  variables {
    origins = ["*"]
  }
}

run "an_origin_with_a_path_is_refused" {
  command         = plan
  expect_failures = [var.origins]

  variables {
    origins = ["https://app.example.com/"]
  }
}

run "an_origin_with_a_wildcard_is_refused" {
  command         = plan
  expect_failures = [var.origins]

  variables {
    origins = ["https://*.example.com"]
  }
}

run "no_days_are_refused" {
  command         = plan
  expect_failures = [var.keep_days]

  variables {
    keep_days = 0
  }
}

run "half_a_day_is_refused" {
  command         = plan
  expect_failures = [var.keep_days]

  variables {
    keep_days = 30.5
  }
}

run "days_fewer_than_a_job_may_wait_are_refused" {
  command         = plan
  expect_failures = [var.keep_days]

  variables {
    keep_days = 2
  }
}

run "days_without_end_are_refused" {
  command         = plan
  expect_failures = [var.keep_days]

  variables {
    keep_days = 36500
  }
}

run "a_network_without_its_hash_is_refused" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = "gs://my-studio-library/networks/network-2.safetensors"
  }
}

run "a_network_in_a_bucket_that_the_gpu_job_cannot_read_is_refused" {
  command         = plan
  expect_failures = [var.network]

  variables {
    network = "gs://another-studio/networks/network-2.safetensors#sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }
}

run "no_executions_are_refused" {
  command         = plan
  expect_failures = [var.max_executions]

  variables {
    max_executions = 0
  }
}

run "half_an_execution_is_refused" {
  command         = plan
  expect_failures = [var.max_executions]

  variables {
    max_executions = 1.5
  }
}

run "more_executions_than_any_quota_are_refused" {
  command         = plan
  expect_failures = [var.max_executions]

  variables {
    max_executions = 101
  }
}

run "instances_of_nothing_are_refused" {
  command         = plan
  expect_failures = [var.max_instances]

  variables {
    max_instances = { gpu_job = 3 }
  }
}

run "no_instances_are_refused" {
  command         = plan
  expect_failures = [var.max_instances]

  variables {
    max_instances = { pose = 0 }
  }
}

run "half_an_instance_is_refused" {
  command         = plan
  expect_failures = [var.max_instances]

  variables {
    max_instances = { pose = 2.5 }
  }
}

run "an_address_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.alert_emails]

  variables {
    alert_emails = ["dancer"]
  }
}

run "a_billing_account_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.billing_account]

  variables {
    billing_account = "my-account"
  }
}

run "no_budget_is_refused" {
  command         = plan
  expect_failures = [var.budget]

  variables {
    budget = 0
  }
}

run "a_debt_is_refused" {
  command         = plan
  expect_failures = [var.budget]

  variables {
    budget = -5
  }
}

run "cents_are_refused" {
  command         = plan
  expect_failures = [var.budget]

  variables {
    budget = 0.5
  }
}

run "an_enforcement_that_is_none_is_refused" {
  command         = plan
  expect_failures = [var.app_check]

  variables {
    app_check = { enforcement = "MAYBE" }
  }
}

run "an_app_without_its_key_is_refused" {
  command         = plan
  expect_failures = [var.app_check]

  variables {
    app_check = { web_app_id = "1:2:web:3" }
  }
}

run "a_key_without_its_app_is_refused" {
  command         = plan
  expect_failures = [var.app_check]

  variables {
    app_check = { web_site_key = "key" }
  }
}

run "a_teacher_who_is_none_is_refused" {
  command         = plan
  expect_failures = [var.teachers]

  variables {
    teachers = ["Maria, Juan"]
  }
}

run "a_teacher_whom_the_api_would_not_let_in_is_refused" {
  command         = plan
  expect_failures = [var.teachers]

  variables {
    teachers = ["_maria"]
  }
}

run "no_uploads_are_refused" {
  command         = plan
  expect_failures = [var.limits]

  variables {
    limits = { uploads_a_day = 0 }
  }
}

run "half_a_job_is_refused" {
  command         = plan
  expect_failures = [var.limits]

  variables {
    limits = { jobs_in_flight = 0.5 }
  }
}

run "a_function_that_outlasts_its_push_is_refused" {
  command         = plan
  expect_failures = [var.timeout_s]

  module {
    source = "./modules/event_function"
  }

  variables {
    name          = "slow"
    image         = null
    triggers      = {}
    pubsub_agent  = "serviceAccount:pubsub@example.com"
    environment   = {}
    max_instances = 1
    timeout_s     = 541
  }
}

run "fewer_deliveries_than_pubsub_allows_are_refused" {
  command         = plan
  expect_failures = [var.max_delivery_attempts]

  module {
    source = "./modules/event_function"
  }

  variables {
    name                  = "hasty"
    image                 = null
    triggers              = {}
    pubsub_agent          = "serviceAccount:pubsub@example.com"
    environment           = {}
    max_instances         = 1
    max_delivery_attempts = 4
  }
}

run "a_service_of_a_tag_is_refused" {
  command         = plan
  expect_failures = [var.image]

  module {
    source = "./modules/service"
  }

  variables {
    name          = "loose"
    image         = "registry/loose:latest"
    environment   = {}
    max_instances = 1
    timeout_s     = 60
  }
}
