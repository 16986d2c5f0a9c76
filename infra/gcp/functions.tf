# The functions that messages call. What each is given is what its handler touches, and nothing besides.

locals {
  settings = {
    DANCEBITS_PROJECT         = var.project
    DANCEBITS_REGION          = var.region
    DANCEBITS_UPLOADS_BUCKET  = local.bucket["uploads"]
    DANCEBITS_FEATURES_BUCKET = local.bucket["features"]
    DANCEBITS_RESULTS_BUCKET  = local.bucket["results"]
    DANCEBITS_LIBRARY_BUCKET  = local.bucket["library"]
    DANCEBITS_GPU_JOB         = local.gpu_job
    DANCEBITS_MAX_EXECUTIONS  = tostring(var.max_executions)
    DANCEBITS_KEEP_DAYS       = tostring(var.keep_days)
  }

  # To look at an object takes listing too: without it one that is not there is answered by 403, not 404.
  reads = "roles/storage.objectViewer"
  # To write an object once takes deleting too: without it one that is there already may be answered by 403, not 412.
  writes = "roles/storage.objectUser"

  channels = [for channel in google_monitoring_notification_channel.email : channel.id]
}

module "intake" {
  source = "./modules/event_function"

  name     = "intake"
  image    = lookup(var.images, "intake", null)
  triggers = { uploads = { topic = local.topic["uploads"] } }

  buckets = {
    (local.bucket["uploads"])  = local.reads
    (local.bucket["features"]) = local.reads # whether a teacher's serve again
  }
  publishes = ["audio-requests", "pose-requests"]

  memory        = "1Gi"
  concurrency   = 16 # it waits for Cloud Storage and Firestore
  max_instances = lookup(var.max_instances, "intake", 5)

  project               = var.project
  region                = var.region
  environment           = local.settings
  pubsub_agent          = local.pubsub_agent
  notification_channels = local.channels
  depends_on            = [google_pubsub_topic.this, google_storage_bucket.this]
}

module "audio" {
  source = "./modules/event_function"

  name     = "audio"
  image    = lookup(var.images, "audio", null)
  triggers = { audio-requests = { topic = local.topic["audio-requests"] } }

  buckets = {
    (local.bucket["uploads"])  = local.reads
    (local.bucket["features"]) = local.writes
  }
  publishes = ["features"]

  cpu           = 1
  memory        = "2Gi"
  max_instances = lookup(var.max_instances, "audio", 20)

  project               = var.project
  region                = var.region
  environment           = local.settings
  pubsub_agent          = local.pubsub_agent
  notification_channels = local.channels
  depends_on            = [google_pubsub_topic.this, google_storage_bucket.this]
}

module "pose" {
  source = "./modules/event_function"

  name     = "pose"
  image    = lookup(var.images, "pose", null)
  triggers = { pose-requests = { topic = local.topic["pose-requests"] } }

  buckets = {
    (local.bucket["uploads"])  = local.reads
    (local.bucket["features"]) = local.writes
  }
  publishes = ["features"]

  cpu           = 2 # it decodes and looks at the same time
  memory        = "2Gi"
  max_instances = lookup(var.max_instances, "pose", 64) # two videos in 32 shards

  project               = var.project
  region                = var.region
  environment           = local.settings
  pubsub_agent          = local.pubsub_agent
  notification_channels = local.channels
  depends_on            = [google_pubsub_topic.this, google_storage_bucket.this]
}

module "dispatch" {
  source = "./modules/event_function"

  name     = "dispatch"
  image    = lookup(var.images, "dispatch", null)
  triggers = { features = { topic = local.topic["features"] } }

  concurrency   = 4
  max_instances = lookup(var.max_instances, "dispatch", 5)

  project               = var.project
  region                = var.region
  environment           = local.settings
  pubsub_agent          = local.pubsub_agent
  notification_channels = local.channels
  depends_on            = [google_pubsub_topic.this]
}

# What is refused by the sweep waits for a week, is delivered again, and is kept for a person besides: a dead letter
# has no dead letter. Neither has a tick, which the next one replaces.
module "sweep" {
  source = "./modules/event_function"

  name  = "sweep"
  image = lookup(var.images, "sweep", null)
  triggers = merge(
    { ticks = { topic = local.topic["ticks"], has_dead_letters = false, keep_s = 600 } },
    { for name, topic in local.dead_topics : "${name}-dead" => { topic = topic, has_dead_letters = false } },
  )

  publishes = ["uploads", "audio-requests", "pose-requests", "features"] # what was lost is said again

  max_instances = lookup(var.max_instances, "sweep", 3)

  project               = var.project
  region                = var.region
  environment           = local.settings
  pubsub_agent          = local.pubsub_agent
  notification_channels = local.channels
  depends_on            = [google_pubsub_topic.this]
}

locals {
  dead_topics = merge(module.intake.dead_topics, module.audio.dead_topics, module.pose.dead_topics, module.dispatch.dead_topics)
}
