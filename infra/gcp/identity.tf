# Who a person is (Identity Platform), and whether it is our app that asks (App Check).

resource "google_identity_platform_config" "this" {
  # A host each; without ports.
  authorized_domains         = concat(["${var.project}.firebaseapp.com"], distinct([for origin in var.origins : regex("^https://([^:/]+)", origin)[0]]))
  autodelete_anonymous_users = true

  sign_in {
    allow_duplicate_emails = false

    email {
      enabled           = true
      password_required = true
    }
  }

  # Also through another provider: no account comes into being but by the studio.
  client {
    permissions {
      disabled_user_signup = !var.open_signup
    }
  }

  depends_on = [google_project_service.on]
}

locals {
  checked = var.app_check == null ? [] : ["firestore.googleapis.com", "firebasestorage.googleapis.com", "identitytoolkit.googleapis.com"]
}

resource "google_firebase_app_check_service_config" "this" {
  for_each = toset(local.checked)

  service_id       = each.key
  enforcement_mode = var.app_check.enforcement

  depends_on = [google_project_service.on]
}

resource "google_firebase_app_check_recaptcha_enterprise_config" "web" {
  count = try(var.app_check.web_app_id, null) == null ? 0 : 1

  app_id    = var.app_check.web_app_id
  site_key  = var.app_check.web_site_key
  token_ttl = "3600s"
}
