# What got lost on the way is looked for once a minute; shared/events.py reads the message.
resource "google_cloud_scheduler_job" "tick" {
  name        = "tick"
  region      = var.region
  description = "Has the sweep look after what nobody else would come back to."
  schedule    = "* * * * *"
  time_zone   = "Etc/UTC"

  pubsub_target {
    topic_name = google_pubsub_topic.this["ticks"].id
    data       = base64encode(jsonencode({ type = "tick" }))
    attributes = { type = "tick" }
  }

  retry_config {
    retry_count = 0 # the next is a minute away
  }
}
