# One condition looks at a metric and the others at logs: from September 2027 each metric in a condition is billed
# ($0.35 a month and $0.50 a million points, Google Cloud Observability pricing), a condition on logs is not.

locals {
  pushes = concat(tolist(local.topics), [for name in keys(local.dead_topics) : "${name}-dead"])

  # Fields of log records that shared/measures.py writes.
  settled = "jsonPayload.event=\"job_settled\""

  log_alerts = {
    dead-letter = {
      says     = "a message became a dead letter"
      severity = "ERROR"
      about    = "A function refused a message five times. The sweep has seen to its job; the message is kept for a week. See docs/operations.md, *Dead letters*."
      filter   = "resource.type=\"cloud_run_revision\" jsonPayload.event=\"dead_letter\""
    }
    gave-up = {
      says     = "a job was given up"
      severity = "ERROR"
      about    = "A job failed by no fault of its upload. See docs/operations.md, *A job was given up*."
      filter   = "${local.settled} jsonPayload.code=\"GAVE_UP\""
    }
    gpu-execution-failed = {
      says     = "an execution of the GPU job failed"
      severity = "ERROR"
      about    = "All its attempts failed. The next tick starts another; see docs/operations.md, *GPU executions fail*."
      filter   = "resource.type=\"cloud_run_job\" resource.labels.job_name=\"${local.gpu_job}\" log_id(\"cloudaudit.googleapis.com/system_event\") severity>=ERROR"
    }
    gpu-not-found = {
      says     = "a GPU was paid for and not found"
      severity = "ERROR"
      about    = "An execution worked without its GPU: torch and the driver do not agree. See docs/operations.md, *GPU executions fail*."
      filter   = "resource.type=\"cloud_run_job\" jsonPayload.event=\"execution_ended\" jsonPayload.device=\"cpu\""
    }
    api-errors = {
      says     = "the API answers with errors"
      severity = "ERROR"
      about    = "A request failed by no fault of who asked. See docs/operations.md, *The API answers with errors*."
      filter   = "resource.type=\"cloud_run_revision\" resource.labels.service_name=\"api\" severity>=ERROR"
    }
    gpu-backlog-old = {
      says     = "jobs wait for a GPU"
      severity = "WARNING"
      about    = "The oldest has waited for half an hour. See docs/operations.md, *Jobs wait for a GPU*."
      filter   = "resource.type=\"cloud_run_revision\" jsonPayload.event=\"backlog\" jsonPayload.oldest_seconds>1800"
    }
  }
}

resource "google_monitoring_notification_channel" "email" {
  for_each = toset(var.alert_emails)

  type         = "email"
  display_name = each.key
  labels       = { email_address = each.key }

  depends_on = [google_project_service.on]
}

resource "google_monitoring_alert_policy" "backlog" {
  display_name          = "messages are not delivered"
  combiner              = "OR"
  severity              = "ERROR"
  notification_channels = local.channels

  conditions {
    display_name = "the oldest message has waited for a quarter of an hour"
    condition_threshold {
      # Those that are pushed: the dead letters that are kept for a person may grow old.
      filter          = "resource.type=\"pubsub_subscription\" AND metric.type=\"pubsub.googleapis.com/subscription/oldest_unacked_message_age\" AND resource.label.subscription_id=one_of(${join(",", [for name in local.pushes : "\"${name}\""])})"
      comparison      = "COMPARISON_GT"
      threshold_value = 900
      duration        = "300s"

      # To one series: each point of each is billed, and the dashboard shows which it is.
      aggregations {
        alignment_period     = "60s"
        per_series_aligner   = "ALIGN_MAX"
        cross_series_reducer = "REDUCE_MAX"
      }
    }
  }

  alert_strategy {
    auto_close = "86400s"
  }

  documentation {
    mime_type = "text/markdown"
    content   = "A function is down (the sweep too, where it is dead letters that wait), or too few instances of it are allowed. See docs/operations.md, *Messages are not delivered*."
  }
}

resource "google_monitoring_alert_policy" "logged" {
  for_each = local.log_alerts

  display_name          = each.value.says
  combiner              = "OR"
  severity              = each.value.severity
  notification_channels = local.channels

  conditions {
    display_name = each.value.says
    condition_matched_log {
      filter = each.value.filter
    }
  }

  alert_strategy {
    auto_close = "86400s"
    notification_rate_limit {
      period = "3600s"
    }
  }

  documentation {
    mime_type = "text/markdown"
    content   = each.value.about
  }

  depends_on = [google_project_service.on]
}

# --- what our own log lines say, as numbers

resource "google_logging_metric" "jobs_settled" {
  name        = "dancebits/jobs_settled"
  description = "Jobs that came to an end, by kind, state and code."
  filter      = local.settled

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
    unit        = "1"

    labels {
      key         = "kind"
      description = "What was asked for."
    }
    labels {
      key         = "state"
      description = "DONE, FAILED or CANCELLED."
    }
    labels {
      key         = "code"
      description = "Why it failed."
    }
  }

  label_extractors = {
    kind  = "EXTRACT(jsonPayload.kind)"
    state = "EXTRACT(jsonPayload.state)"
    code  = "EXTRACT(jsonPayload.code)"
  }

  depends_on = [google_project_service.on]
}

resource "google_logging_metric" "time_to_result" {
  name            = "dancebits/time_to_result"
  description     = "From the upload to the result, of jobs that are done."
  filter          = "${local.settled} jsonPayload.state=\"DONE\""
  value_extractor = "EXTRACT(jsonPayload.seconds_to_result)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"

    labels {
      key         = "kind"
      description = "What was asked for."
    }
  }

  label_extractors = { kind = "EXTRACT(jsonPayload.kind)" }

  # 1 s to 36 h, each bound half as much again as the one before.
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 30
      growth_factor      = 1.5
      scale              = 1
    }
  }

  depends_on = [google_project_service.on]
}

resource "google_logging_metric" "seconds_per_job" {
  for_each = {
    gpu_seconds = "Of a job: its share of the time in which its batch held the GPU."
    cpu_seconds = "Of a job: how long functions listened and looked."
  }

  name            = "dancebits/${each.key}"
  description     = each.value
  filter          = local.settled
  value_extractor = "EXTRACT(jsonPayload.${each.key})"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "s"

    labels {
      key         = "kind"
      description = "What was asked for."
    }
  }

  label_extractors = { kind = "EXTRACT(jsonPayload.kind)" }

  # 0.1 s to an hour.
  bucket_options {
    exponential_buckets {
      num_finite_buckets = 27
      growth_factor      = 1.5
      scale              = 0.1
    }
  }

  depends_on = [google_project_service.on]
}

resource "google_logging_metric" "backlog" {
  name            = "dancebits/backlog"
  description     = "Jobs that wait for the GPU, at each tick."
  filter          = "jsonPayload.event=\"backlog\""
  value_extractor = "EXTRACT(jsonPayload.waiting)"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "DISTRIBUTION"
    unit        = "1"
  }

  bucket_options {
    exponential_buckets {
      num_finite_buckets = 8
      growth_factor      = 2
      scale              = 1
    }
  }

  depends_on = [google_project_service.on]
}

# --- everything on one page

locals {
  ours   = "logging.googleapis.com/user/dancebits"
  of_run = { function = "resource.type=\"cloud_run_revision\" AND ", job = "resource.type=\"cloud_run_job\" AND " }

  # What is looked at, of whom, how a series is aligned and how series are joined, what tells the lines apart, and
  # whether they add up.
  charts = [
    { title = "Jobs that came to an end", metric = "${local.ours}/jobs_settled", of = "", align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["metric.label.kind", "metric.label.state", "metric.label.code"], adds_up = true },
    { title = "Time to result, 95th percentile", metric = "${local.ours}/time_to_result", of = "", align = "ALIGN_DELTA", join = "REDUCE_PERCENTILE_95", by = ["metric.label.kind"], adds_up = false },
    { title = "Jobs waiting for a GPU", metric = "${local.ours}/backlog", of = "", align = "ALIGN_DELTA", join = "REDUCE_PERCENTILE_99", by = [], adds_up = false },
    { title = "Oldest message, by subscription", metric = "pubsub.googleapis.com/subscription/oldest_unacked_message_age", of = "", align = "ALIGN_MAX", join = "REDUCE_MAX", by = ["resource.label.subscription_id"], adds_up = false },
    { title = "Dead letters, by subscription", metric = "pubsub.googleapis.com/subscription/dead_letter_message_count", of = "", align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["resource.label.subscription_id"], adds_up = true },
    { title = "Answers to pushes", metric = "pubsub.googleapis.com/subscription/push_request_count", of = "", align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["resource.label.subscription_id", "metric.label.response_class"], adds_up = true },
    { title = "Executions of the GPU job", metric = "run.googleapis.com/job/running_executions", of = local.of_run.job, align = "ALIGN_MAX", join = "REDUCE_SUM", by = ["resource.label.job_name"], adds_up = false },
    { title = "Executions that ended, by result", metric = "run.googleapis.com/job/completed_execution_count", of = local.of_run.job, align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["metric.label.result"], adds_up = true },
    { title = "GPU seconds billed", metric = "run.googleapis.com/container/billable_instance_time", of = local.of_run.job, align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["resource.label.job_name"], adds_up = true },
    { title = "GPU seconds of a job, mean", metric = "${local.ours}/gpu_seconds", of = "", align = "ALIGN_DELTA", join = "REDUCE_MEAN", by = ["metric.label.kind"], adds_up = false },
    { title = "Function seconds of a job, mean", metric = "${local.ours}/cpu_seconds", of = "", align = "ALIGN_DELTA", join = "REDUCE_MEAN", by = ["metric.label.kind"], adds_up = false },
    { title = "Instance seconds billed, by function", metric = "run.googleapis.com/container/billable_instance_time", of = local.of_run.function, align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["resource.label.service_name"], adds_up = true },
    { title = "Memory, 99th percentile, by function", metric = "run.googleapis.com/container/memory/utilizations", of = local.of_run.function, align = "ALIGN_DELTA", join = "REDUCE_PERCENTILE_99", by = ["resource.label.service_name"], adds_up = false },
    { title = "Killed by the platform", metric = "${local.ours}/platform_kills", of = "", align = "ALIGN_DELTA", join = "REDUCE_SUM", by = ["resource.label.service_name", "resource.label.job_name", "metric.label.reason"], adds_up = true },
  ]
}

resource "google_monitoring_dashboard" "this" {
  dashboard_json = jsonencode({
    displayName = "DanceBits"
    mosaicLayout = {
      columns = 48
      tiles = [for number, chart in local.charts : {
        xPos   = 24 * (number % 2)
        yPos   = 16 * floor(number / 2)
        width  = 24
        height = 16
        widget = {
          title = chart.title
          xyChart = {
            dataSets = [{
              plotType   = chart.adds_up ? "STACKED_BAR" : "LINE"
              targetAxis = "Y1"
              timeSeriesQuery = {
                timeSeriesFilter = {
                  filter = "${chart.of}metric.type=\"${chart.metric}\""
                  aggregation = {
                    alignmentPeriod    = "300s"
                    perSeriesAligner   = chart.align
                    crossSeriesReducer = chart.join
                    groupByFields      = chart.by
                  }
                }
              }
            }]
          }
        }
      }]
    }
  })

  depends_on = [
    google_logging_metric.backlog, google_logging_metric.jobs_settled, google_logging_metric.platform_kills,
    google_logging_metric.seconds_per_job, google_logging_metric.time_to_result,
  ]
}
