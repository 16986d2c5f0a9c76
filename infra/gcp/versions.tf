terraform {
  required_version = ">= 1.9" # a variable's validation may look at other variables

  required_providers {
    google = {
      source  = "hashicorp/google"
      version = ">= 6.50"
    }
  }
}

provider "google" {
  project = var.project
  region  = var.region

  # Identity Platform, App Check and budgets ask whose quota a person's request counts against.
  billing_project       = var.project
  user_project_override = true

  default_labels = { app = "dancebits" }
}
