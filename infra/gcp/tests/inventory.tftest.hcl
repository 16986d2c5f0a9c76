# What the system consists of, and what each of its accounts may do: asserted of the whole, as it is applied.

mock_provider "google" {
  # What is made up must have the form that the provider asks of it where it is used.
  mock_resource "google_service_account" {
    defaults = { name = "projects/my-studio/serviceAccounts/made-up@my-studio.iam.gserviceaccount.com" }
  }
}

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

run "each_account_may_do_what_its_unit_does_and_nothing_else" {
  assert {
    condition = module.intake.grants == tolist([
      "roles/datastore.user where resource.name == \"projects/my-studio/databases/(default)\"",
      "roles/pubsub.publisher on topic audio-requests",
      "roles/pubsub.publisher on topic pose-requests",
      "roles/storage.objectViewer on bucket my-studio-features",
      "roles/storage.objectViewer on bucket my-studio-uploads",
    ])
    error_message = "intake: ${join("\n", module.intake.grants)}"
  }

  assert {
    condition = alltrue([for grants in [module.audio.grants, module.pose.grants] : grants == tolist([
      "roles/datastore.user where resource.name == \"projects/my-studio/databases/(default)\"",
      "roles/pubsub.publisher on topic features",
      "roles/storage.objectUser on bucket my-studio-features",
      "roles/storage.objectViewer on bucket my-studio-uploads",
    ])])
    error_message = "audio: ${join("\n", module.audio.grants)}\npose: ${join("\n", module.pose.grants)}"
  }

  assert {
    condition = module.dispatch.grants == tolist([
      "roles/datastore.user where resource.name == \"projects/my-studio/databases/(default)\"",
    ])
    error_message = "dispatch: ${join("\n", module.dispatch.grants)}"
  }

  assert {
    condition = module.sweep.grants == tolist([
      "roles/datastore.user where resource.name == \"projects/my-studio/databases/(default)\"",
      "roles/pubsub.publisher on topic audio-requests",
      "roles/pubsub.publisher on topic features",
      "roles/pubsub.publisher on topic pose-requests",
      "roles/pubsub.publisher on topic uploads",
    ])
    error_message = "sweep: ${join("\n", module.sweep.grants)}"
  }

  assert {
    condition = module.api.grants == tolist([
      "roles/datastore.user where resource.name == \"projects/my-studio/databases/(default)\"",
      "roles/storage.objectUser on bucket my-studio-features",
      "roles/storage.objectUser on bucket my-studio-results",
      "roles/storage.objectUser on bucket my-studio-uploads",
    ])
    error_message = "api: ${join("\n", module.api.grants)}"
  }

  assert {
    condition = module.gpu_account.grants == tolist([
      "roles/datastore.user where resource.name == \"projects/my-studio/databases/(default)\"",
      "roles/storage.objectUser on bucket my-studio-library",
      "roles/storage.objectUser on bucket my-studio-results",
      "roles/storage.objectViewer on bucket my-studio-features",
      "roles/storage.objectViewer on bucket my-studio-uploads",
    ])
    error_message = "gpu_job: ${join("\n", module.gpu_account.grants)}"
  }

  assert {
    condition = length(toset(concat(
      [for unit in [module.intake, module.audio, module.pose, module.dispatch, module.sweep, module.api] : unit.account.email],
      [module.gpu_account.email],
    ))) == 7
    error_message = "Two units share an account."
  }

  assert {
    condition = alltrue([for planned in [
      module.intake.planned, module.audio.planned, module.pose.planned, module.dispatch.planned, module.sweep.planned,
      module.api.planned,
    ] : planned.own_account]) && google_cloud_run_v2_job.gpu[0].template[0].template[0].service_account == module.gpu_account.email
    error_message = "A unit acts by an account that is not its own."
  }
}

run "only_dispatch_and_sweep_start_the_gpu_job" {
  assert {
    condition = { for grant in values(google_cloud_run_v2_job_iam_member.starts) : "${grant.member} ${grant.role}" => grant.name } == {
      "${module.dispatch.account.member} roles/run.jobsExecutor" = "gpu-job"
      "${module.dispatch.account.member} roles/run.viewer"       = "gpu-job"
      "${module.sweep.account.member} roles/run.jobsExecutor"    = "gpu-job"
      "${module.sweep.account.member} roles/run.viewer"          = "gpu-job"
    }
    error_message = "Others may start the GPU job, or these may do more to it."
  }
}

run "everybody_may_call_the_api_and_nobody_but_pubsub_a_function" {
  assert {
    condition = (
      module.api.planned.asks_nobody && module.api.planned.ingress == "INGRESS_TRAFFIC_ALL"
    )
    error_message = "The app cannot call the API, or can call something else."
  }

  assert {
    condition = alltrue([for function in [module.intake, module.audio, module.pose, module.dispatch, module.sweep] :
      function.planned.ingress == "INGRESS_TRAFFIC_INTERNAL_ONLY" && !function.planned.asks_nobody
      && function.callers == ["roles/run.invoker to ${function.push_account.member}"]
      && alltrue([for subscription in values(function.subscriptions) : subscription.pushed_by == function.push_account.email])
    ])
    error_message = "A function may be called by somebody else than its own subscriptions."
  }

  assert {
    condition = (
      google_service_account_iam_member.api_signs.service_account_id == module.api.account.name
      && google_service_account_iam_member.api_signs.member == module.api.account.member
      && google_service_account_iam_member.api_signs.role == "roles/iam.serviceAccountTokenCreator"
    )
    error_message = "The API signs with another account than its own."
  }
}

run "messages_that_are_refused_become_dead_letters_that_the_sweep_and_a_person_get" {
  assert {
    condition = toset(keys(merge(
      module.intake.subscriptions, module.audio.subscriptions, module.pose.subscriptions, module.dispatch.subscriptions,
      module.sweep.subscriptions,
      ))) == toset([
      "uploads", "audio-requests", "pose-requests", "features", "ticks",
      "uploads-dead", "audio-requests-dead", "pose-requests-dead", "features-dead",
    ])
    error_message = "There are other subscriptions than on one machine (infra/local/topology.py)."
  }

  assert {
    condition = alltrue([for function in [module.intake, module.audio, module.pose, module.dispatch] :
      alltrue([for name, subscription in function.subscriptions :
        subscription.dead_letters == function.dead_topics[name] && subscription.attempts == 5
      ])
    ])
    error_message = "A subscription has no dead letters, or gives up sooner or later than on one machine."
  }

  assert {
    condition = alltrue([for function in [module.intake, module.audio, module.pose, module.dispatch] :
      alltrue([for name, topic in function.dead_topics :
        module.sweep.subscriptions["${name}-dead"].topic == topic
        && function.replays["${name}-dead-replay"] == { topic = topic, ttl = "", is_pulled = true }
      ])
    ])
    error_message = "A dead letter reaches neither the sweep nor anybody else."
  }

  # A dead letter that is refused waits for a week; a tick that is refused is replaced by the next.
  assert {
    condition = alltrue([for name, subscription in module.sweep.subscriptions :
      subscription.dead_letters == null && subscription.keep == (name == "ticks" ? "600s" : "604800s")
    ])
    error_message = "The sweep's own messages have dead letters, which nobody would bury."
  }

  assert {
    condition = alltrue([for name, topic in google_pubsub_topic.this : contains([
      module.intake.subscriptions["uploads"].topic, module.audio.subscriptions["audio-requests"].topic,
      module.pose.subscriptions["pose-requests"].topic, module.dispatch.subscriptions["features"].topic,
      module.sweep.subscriptions["ticks"].topic,
    ], topic.id)])
    error_message = "A topic is delivered to nobody."
  }
}

run "no_push_is_given_up_while_its_function_works" {
  assert {
    condition = alltrue([for function in [module.intake, module.audio, module.pose, module.dispatch, module.sweep] :
      function.planned.timeout_s <= 540
      && alltrue([for subscription in values(function.subscriptions) :
        subscription.ack_deadline_s <= 600 && subscription.ack_deadline_s > function.planned.timeout_s
      ])
    ])
    error_message = "A message is delivered a second time while the first is worked on."
  }

  assert {
    condition = alltrue([for function in [module.intake, module.audio, module.pose, module.dispatch, module.sweep] :
      alltrue([for subscription in values(function.subscriptions) :
        subscription.ttl == "" && subscription.retry == ["10s", "600s"] && subscription.is_wrapped
      ])
    ])
    error_message = "A subscription expires, is tried again without a pause, or sends what the functions cannot read."
  }
}

run "nothing_runs_while_nobody_asks_and_a_flood_is_bounded" {
  assert {
    condition = alltrue([for planned in [
      module.intake.planned, module.audio.planned, module.pose.planned, module.dispatch.planned, module.sweep.planned,
      module.api.planned,
    ] : planned.least == 0 && planned.is_throttled && planned.most >= 1 && planned.most <= 100])
    error_message = "An instance is billed without work, or their number has no bound."
  }

  assert {
    condition     = module.audio.planned.concurrency == 1 && module.pose.planned.concurrency == 1
    error_message = "Those that compute take one message at a time (docs/decisions/0011)."
  }
}

run "what_runs_is_named_by_its_digest" {
  assert {
    condition = alltrue([for image in [
      module.intake.planned.image, module.audio.planned.image, module.pose.planned.image, module.dispatch.planned.image,
      module.sweep.planned.image, module.api.planned.image,
      google_cloud_run_v2_job.gpu[0].template[0].template[0].containers[0].image,
    ] : can(regex("@sha256:[0-9a-f]{64}$", image))])
    error_message = "An image is named by a tag."
  }
}

run "every_unit_is_told_where_everything_is" {
  assert {
    condition = alltrue([for environment in [
      module.intake.planned.environment, module.audio.planned.environment, module.pose.planned.environment,
      module.dispatch.planned.environment, module.sweep.planned.environment, module.api.planned.environment,
      { for variable in google_cloud_run_v2_job.gpu[0].template[0].template[0].containers[0].env : variable.name => variable.value },
      ] : (
      environment.DANCEBITS_PROJECT == "my-studio" && environment.DANCEBITS_REGION == "europe-west1"
      && environment.DANCEBITS_UPLOADS_BUCKET == "my-studio-uploads" && environment.DANCEBITS_FEATURES_BUCKET == "my-studio-features"
      && environment.DANCEBITS_RESULTS_BUCKET == "my-studio-results" && environment.DANCEBITS_LIBRARY_BUCKET == "my-studio-library"
      && environment.DANCEBITS_GPU_JOB == google_cloud_run_v2_job.gpu[0].name && environment.DANCEBITS_MAX_EXECUTIONS == "3"
      && environment.DANCEBITS_KEEP_DAYS == "30"
    )])
    error_message = "A unit does not know where it is."
  }

  assert {
    condition = !contains([
      for variable in google_cloud_run_v2_job.gpu[0].template[0].template[0].containers[0].env : variable.name
    ], "DANCEBITS_NETWORK")
    error_message = "The GPU job is told of a network, though it has one in its image."
  }

  assert {
    condition     = module.api.planned.environment.DANCEBITS_APP_CHECK == "required" && module.api.planned.environment.DANCEBITS_ORIGINS == "https://app.example.com"
    error_message = "The API does not know whom to answer."
  }
}

run "the_gpu_job_is_told_where_another_network_lies" {
  variables {
    network = "gs://my-studio-library/networks/network-2.safetensors#sha256=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }

  assert {
    condition = {
      for variable in google_cloud_run_v2_job.gpu[0].template[0].template[0].containers[0].env : variable.name => variable.value
    }["DANCEBITS_NETWORK"] == var.network
    error_message = "The GPU job is not told of the network."
  }
}

run "no_bucket_is_public_and_what_is_not_the_library_goes" {
  assert {
    condition = toset(keys(google_storage_bucket.this)) == toset(["uploads", "features", "results", "library"]) && alltrue([
      for bucket in values(google_storage_bucket.this) : bucket.uniform_bucket_level_access
      && bucket.public_access_prevention == "enforced" && bucket.location == "europe-west1" && !bucket.force_destroy
    ])
    error_message = "A bucket is public, elsewhere, or goes with everything in it."
  }

  assert {
    condition = alltrue([for name in ["uploads", "features", "results"] :
      anytrue([for rule in google_storage_bucket.this[name].lifecycle_rule : one(rule.action).type == "Delete" && one(rule.condition).age == 30])
      && google_storage_bucket.this[name].soft_delete_policy[0].retention_duration_seconds == 0
      && !google_storage_bucket.this[name].versioning[0].enabled
    ])
    error_message = "Something of a person's is kept for longer than was said."
  }

  assert {
    condition = (
      google_storage_bucket.this["library"].versioning[0].enabled
      && google_storage_bucket.this["library"].soft_delete_policy[0].retention_duration_seconds == 604800
      && alltrue([for rule in google_storage_bucket.this["library"].lifecycle_rule :
        one(rule.action).type != "Delete" || one(rule.condition).with_state == "ARCHIVED"
      ])
    )
    error_message = "A move of the library can be lost."
  }

  assert {
    condition = alltrue([for bucket in values(google_storage_bucket.this) :
      anytrue([for rule in bucket.lifecycle_rule : one(rule.action).type == "AbortIncompleteMultipartUpload" && one(rule.condition).age == 1])
    ])
    error_message = "What was never uploaded to the end is kept, and billed."
  }

  assert {
    condition = { for name, bucket in google_storage_bucket.this : name => flatten(bucket.cors[*].origin) } == {
      uploads = ["https://app.example.com"], features = [], results = ["https://app.example.com"], library = []
    }
    error_message = "A browser may do more than upload and read results, or less."
  }

  assert {
    condition = alltrue([for header in ["X-Goog-Resumable", "X-Goog-Content-Length-Range", "X-Goog-Meta-owner", "X-Goog-Meta-clip_id"] :
      contains(google_storage_bucket.this["uploads"].cors[0].response_header, header)
    ])
    error_message = "A browser may not send what is signed."
  }
}

run "an_upload_is_told_of" {
  assert {
    condition = (
      google_storage_notification.uploads.bucket == "my-studio-uploads"
      && google_storage_notification.uploads.topic == google_pubsub_topic.this["uploads"].id
      && toset(google_storage_notification.uploads.event_types) == toset(["OBJECT_FINALIZE"])
      && google_storage_notification.uploads.payload_format == "JSON_API_V1"
      && google_pubsub_topic_iam_member.storage_publishes.topic == "uploads"
      && google_pubsub_topic_iam_member.storage_publishes.role == "roles/pubsub.publisher"
    )
    error_message = "Nobody hears of an upload."
  }
}

run "the_gpu_job_has_what_an_l4_asks_for_and_no_more" {
  assert {
    condition = google_cloud_run_v2_job.gpu[0].template[0].template[0].containers[0].resources[0].limits == tomap({
      cpu = "4", memory = "16Gi", "nvidia.com/gpu" = "1"
    }) && google_cloud_run_v2_job.gpu[0].template[0].template[0].node_selector[0].accelerator == "nvidia-l4"
    error_message = "Not an L4 with 4 CPUs and 16 GiB."
  }

  assert {
    condition = (
      google_cloud_run_v2_job.gpu[0].template[0].template[0].gpu_zonal_redundancy_disabled
      && google_cloud_run_v2_job.gpu[0].template[0].template[0].timeout == "3600s"
      && google_cloud_run_v2_job.gpu[0].template[0].template[0].max_retries == 3
      && google_cloud_run_v2_job.gpu[0].template[0].task_count == 1
    )
    error_message = "A GPU's task lasts an hour at most, is tried again, and is not paid for twice."
  }
}

run "firestore_is_what_the_indexes_file_says" {
  assert {
    condition = toset([for index in values(google_firestore_index.this) :
      join(", ", concat([index.collection, index.query_scope], [for field in index.fields : "${field.field_path} ${field.order}"]))
      ]) == toset([for index in jsondecode(file("firestore.indexes.json")).indexes :
      join(", ", concat([index.collectionGroup, index.queryScope], [for field in index.fields : "${field.fieldPath} ${field.order}"]))
    ])
    error_message = "An index is declared in one place and not in the other."
  }

  assert {
    condition = toset([for field in values(google_firestore_field.this) : "${field.collection}.${field.field}" if length(field.ttl_config) > 0]) == toset([
      for field in jsondecode(file("firestore.indexes.json")).fieldOverrides : "${field.collectionGroup}.${field.fieldPath}" if try(field.ttl, false)
    ])
    error_message = "Something expires that should not, or stays for ever."
  }

  assert {
    condition = alltrue([for name in ["jobs.expireAt", "steps.expireAt"] : contains(
      [for field in values(google_firestore_field.this) : "${field.collection}.${field.field}" if length(field.ttl_config) > 0], name
    )])
    error_message = "Jobs or steps stay for ever."
  }

  assert {
    condition = (
      google_firestore_database.this.name == "(default)" && google_firestore_database.this.type == "FIRESTORE_NATIVE"
      && google_firestore_database.this.delete_protection_state == "DELETE_PROTECTION_ENABLED"
      && google_firestore_backup_schedule.daily.retention == "604800s"
    )
    error_message = "The database is of another kind, or could be lost."
  }

  assert {
    condition = (
      google_firebaserules_release.firestore.name == "cloud.firestore"
      && google_firebaserules_ruleset.firestore.source[0].files[0].content == file("firestore.rules")
      && google_firebaserules_ruleset.storage.source[0].files[0].content == file("storage.rules")
      && toset([for release in values(google_firebaserules_release.storage) : release.name]) == toset([
        for name in ["uploads", "features", "results", "library"] : "firebase.storage/my-studio-${name}"
      ])
    )
    error_message = "Other rules are in force than those that are tested."
  }
}

run "a_tick_a_minute_comes_as_the_sweep_reads_it" {
  assert {
    condition = (
      google_cloud_scheduler_job.tick.schedule == "* * * * *"
      && google_cloud_scheduler_job.tick.pubsub_target[0].topic_name == google_pubsub_topic.this["ticks"].id
      && base64decode(google_cloud_scheduler_job.tick.pubsub_target[0].data) == jsonencode({ type = "tick" })
    )
    error_message = "Nobody looks after what got lost."
  }
}

run "old_images_go_and_those_that_run_stay" {
  assert {
    condition = { for policy in google_artifact_registry_repository.images.cleanup_policies : policy.action => policy.id } == {
      DELETE = "delete-what-is-old", KEEP = "keep-the-last"
    } && google_artifact_registry_repository.images.cleanup_policy_dry_run == false
    error_message = "The registry grows for ever."
  }
}

run "somebody_is_told_before_it_is_expensive_and_when_something_fails" {
  assert {
    condition = (
      google_billing_budget.month[0].amount[0].specified_amount[0].units == "50"
      && toset([for rule in google_billing_budget.month[0].threshold_rules : rule.threshold_percent]) == toset([0.5, 0.9, 1])
    )
    error_message = "The bill comes as a surprise."
  }

  assert {
    condition = alltrue([for policy in concat(
      [google_monitoring_alert_policy.backlog],
      values(google_monitoring_alert_policy.logged),
    ) : length(policy.notification_channels) == 1 && policy.documentation[0].content != ""])
    error_message = "An alert reaches nobody, or does not say what to do."
  }

  assert {
    condition     = toset(keys(google_monitoring_alert_policy.logged)) == toset(["dead-letter", "gave-up", "gpu-execution-failed", "gpu-not-found", "gpu-backlog-old", "api-errors"])
    error_message = "Other alerts are raised than docs/operations.md describes."
  }

  # Every condition on a metric will be billed by the month.
  assert {
    condition = alltrue([for policy in values(google_monitoring_alert_policy.logged) : alltrue([
      for condition in policy.conditions : length(condition.condition_matched_log) == 1
    ])])
    error_message = "An alert that could look at the log looks at a metric."
  }

  assert {
    condition = (
      google_logging_project_sink.platform_kills.filter == google_logging_metric.platform_kills.filter
      && google_logging_project_bucket_config.platform_kills.retention_days == 90
    )
    error_message = "What the platform killed is not kept."
  }

  assert {
    condition     = length(jsondecode(google_monitoring_dashboard.this.dashboard_json).mosaicLayout.tiles) == 14
    error_message = "The dashboard shows less than docs/operations.md says."
  }
}

run "strangers_are_refused_once_app_check_is_enforced" {
  assert {
    condition = { for name, service in google_firebase_app_check_service_config.this : name => service.enforcement_mode } == {
      "firestore.googleapis.com" = "ENFORCED", "firebasestorage.googleapis.com" = "ENFORCED", "identitytoolkit.googleapis.com" = "ENFORCED"
    }
    error_message = "A stranger's program is answered."
  }

  assert {
    condition     = google_identity_platform_config.this.authorized_domains == tolist(["my-studio.firebaseapp.com", "app.example.com"])
    error_message = "People sign in on other pages than the app's."
  }

  assert {
    condition     = google_identity_platform_config.this.client[0].permissions[0].disabled_user_signup
    error_message = "Strangers make accounts for themselves, each with limits of its own."
  }
}
