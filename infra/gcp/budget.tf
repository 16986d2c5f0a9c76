resource "google_billing_budget" "month" {
  count = var.billing_account == null ? 0 : 1

  billing_account = var.billing_account
  display_name    = "DanceBits in ${var.project}"

  budget_filter {
    projects = ["projects/${local.project_number}"]
  }

  amount {
    specified_amount {
      units = tostring(var.budget)
    }
  }

  threshold_rules {
    threshold_percent = 0.5
  }
  threshold_rules {
    threshold_percent = 0.9
  }
  threshold_rules {
    threshold_percent = 1.0
  }
  threshold_rules {
    threshold_percent = 1.0
    spend_basis       = "FORECASTED_SPEND"
  }

  all_updates_rule {
    monitoring_notification_channels = slice(local.channels, 0, min(5, length(local.channels))) # it allows five
    disable_default_iam_recipients   = false
  }
}

check "somebody_watches_the_bill" {
  assert {
    condition     = var.billing_account != null
    error_message = "There is no budget: name the billing_account, or watch the bill yourself."
  }
}

check "somebody_is_told" {
  assert {
    condition     = length(var.alert_emails) > 0
    error_message = "Alerts are raised and sent to nobody: name alert_emails."
  }
}
