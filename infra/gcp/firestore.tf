locals {
  declared = jsondecode(file("${path.module}/firestore.indexes.json"))

  indexes = { for index in local.declared.indexes :
    join(" ", concat([index.collectionGroup], [for field in index.fields : "${field.fieldPath} ${try(field.order, field.arrayConfig)}"])) => index
  }
  field_overrides = { for field in local.declared.fieldOverrides : "${field.collectionGroup} ${field.fieldPath}" => field }
}

resource "google_firestore_database" "this" {
  name        = "(default)"
  location_id = var.region
  type        = "FIRESTORE_NATIVE"

  delete_protection_state = var.deletion_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  deletion_policy         = "DELETE"

  # A version of every minute is billed as storage; a copy a day is enough for what can be made again from the upload.
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_DISABLED"

  depends_on = [google_project_service.on]
}

resource "google_firestore_backup_schedule" "daily" {
  database  = google_firestore_database.this.name
  retention = "604800s"

  daily_recurrence {}
}

resource "google_firestore_index" "this" {
  for_each = local.indexes

  database    = google_firestore_database.this.name
  collection  = each.value.collectionGroup
  query_scope = each.value.queryScope

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path   = fields.value.fieldPath
      order        = try(fields.value.order, null)
      array_config = try(fields.value.arrayConfig, null)
    }
  }
}

# What expires, and the maps that no query looks into: an index of each of their fields would be written every time.
resource "google_firestore_field" "this" {
  for_each = local.field_overrides

  database   = google_firestore_database.this.name
  collection = each.value.collectionGroup
  field      = each.value.fieldPath

  index_config {
    dynamic "indexes" {
      for_each = each.value.indexes
      content {
        order        = try(indexes.value.order, null)
        array_config = try(indexes.value.arrayConfig, null)
        query_scope  = try(indexes.value.queryScope, null)
      }
    }
  }

  dynamic "ttl_config" {
    for_each = try(each.value.ttl, false) ? [true] : []
    content {}
  }
}

# --- who may read what from a phone

resource "google_firebaserules_ruleset" "firestore" {
  source {
    files {
      name    = "firestore.rules"
      content = file("${path.module}/firestore.rules")
    }
  }

  lifecycle {
    create_before_destroy = true # one that is released cannot be deleted
  }

  depends_on = [google_firestore_database.this]
}

resource "google_firebaserules_release" "firestore" {
  name         = "cloud.firestore"
  ruleset_name = "projects/${var.project}/rulesets/${google_firebaserules_ruleset.firestore.name}"
}

resource "google_firebaserules_ruleset" "storage" {
  source {
    files {
      name    = "storage.rules"
      content = file("${path.module}/storage.rules")
    }
  }

  lifecycle {
    create_before_destroy = true
  }

  depends_on = [google_project_service.on]
}

# They count for the buckets that are linked to Firebase, and refuse nothing to accounts.
resource "google_firebaserules_release" "storage" {
  for_each = google_storage_bucket.this

  name         = "firebase.storage/${each.value.name}"
  ruleset_name = "projects/${var.project}/rulesets/${google_firebaserules_ruleset.storage.name}"
}
