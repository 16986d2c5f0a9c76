variable "project" {
  type        = string
  description = "The Google Cloud project's id. It should hold nothing else: a project is the fence of permissions, quotas and bills."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project))
    error_message = "A project's id has 6 to 30 lower-case letters, digits and hyphens, and begins with a letter."
  }
}

variable "region" {
  type        = string
  description = "Where everything runs and is kept: one of the regions in which Cloud Run has L4 GPUs."

  validation {
    # https://cloud.google.com/run/docs/configuring/jobs/gpu, read 2026-11-26. asia-south1 and us-central1 are open to
    # projects that had GPUs there before, others by invitation.
    condition = contains(
      ["asia-south1", "asia-southeast1", "europe-west1", "europe-west4", "us-central1", "us-east4"], var.region
    )
    error_message = "Cloud Run has L4 GPUs in asia-south1, asia-southeast1, europe-west1, europe-west4, us-central1 and us-east4."
  }
}

variable "images" {
  type        = map(string)
  description = "The image of each unit (intake, audio, pose, dispatch, sweep, api, gpu_job), by digest. Empty: everything but what runs, so that there is a registry to push the images to."
  default     = {}

  validation {
    condition     = alltrue([for image in values(var.images) : can(regex("^[a-z0-9][a-z0-9._/-]*@sha256:[0-9a-f]{64}$", image))])
    error_message = "An image is named by its digest, REGISTRY/NAME@sha256:… of 64 digits: a tag may be moved, and what was tested is not what runs."
  }

  validation {
    condition = length(var.images) == 0 || toset(keys(var.images)) == toset(
      ["intake", "audio", "pose", "dispatch", "sweep", "api", "gpu_job"]
    )
    error_message = "Name an image for each of intake, audio, pose, dispatch, sweep, api and gpu_job, and for nothing else; or for none."
  }
}

variable "origins" {
  type        = list(string)
  description = "Where the app is served: the origins that a browser may upload from, read results from and call the API from."
  default     = []

  validation {
    condition     = alltrue([for origin in var.origins : can(regex("^https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$", origin))])
    error_message = "An origin is https://HOST or https://HOST:PORT in lower case, without a path, a slash at the end or a wildcard."
  }
}

variable "teachers" {
  type        = list(string)
  description = "Ids of the studio's teachers: anybody may compare with their videos, and they alone add to the library."
  default     = []

  validation {
    # As functions/api/tokens.py lets people in.
    condition     = alltrue([for id in var.teachers : can(regex("^[A-Za-z0-9][A-Za-z0-9_.:@-]{0,127}$", id))])
    error_message = "A person's id in Identity Platform begins with a letter or digit, and has up to 128 letters, digits and signs of _.:@- in all."
  }
}

variable "open_signup" {
  type        = bool
  description = "Whether strangers may make accounts for themselves. Otherwise the studio makes them: limits are per person, so who makes ten accounts may ask ten times as much, and the studio pays for it."
  default     = false
}

variable "limits" {
  type = object({
    uploads_a_day     = optional(number, 50)
    jobs_in_flight    = optional(number, 5)
    requests_a_minute = optional(number, 120)
  })
  description = "What one person may ask of the API."
  default     = {}

  validation {
    condition     = alltrue([for most in values(var.limits) : most >= 1 && floor(most) == most])
    error_message = "Whole numbers, 1 at least."
  }
}

variable "keep_days" {
  type        = number
  description = "For how many days uploads, features, results and the documents of jobs are kept."
  default     = 30

  validation {
    # Above the two days that a job may wait for a GPU and be given up; whole, as the buckets count them.
    condition     = var.keep_days >= 3 && var.keep_days <= 3650 && floor(var.keep_days) == var.keep_days
    error_message = "A whole number of days, 3 to 3650."
  }
}

variable "network" {
  type        = string
  description = "The segmentation network, where it is not the one in the image: an object of the library bucket and its hash, gs://PROJECT-library/networks/NAME.safetensors#sha256=HEX."
  default     = ""

  validation {
    # That bucket the GPU job may read.
    condition     = var.network == "" || can(regex("^gs://${var.project}-library/networks/.+#sha256=[0-9a-f]{64}$", var.network))
    error_message = "A network lies in the folder networks/ of the library bucket, and is named with its hash: gs://PROJECT-library/networks/NAME.safetensors#sha256=HEX."
  }
}

variable "max_executions" {
  type        = number
  description = "How many executions of the GPU job may run at once: no more than the region's quota of L4 GPUs without zonal redundancy, of which a new project gets 3."
  default     = 3

  validation {
    condition     = var.max_executions >= 1 && var.max_executions <= 100 && floor(var.max_executions) == var.max_executions
    error_message = "A whole number, 1 to 100."
  }
}

variable "max_instances" {
  type        = map(number)
  description = "The most instances of a function, where it is not the usual number: what bounds a flood's cost."
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.max_instances) : contains(["intake", "audio", "pose", "dispatch", "sweep", "api"], name)])
    error_message = "Only intake, audio, pose, dispatch, sweep and api have instances to be bounded."
  }

  validation {
    condition     = alltrue([for most in values(var.max_instances) : most >= 1 && most <= 1000 && floor(most) == most])
    error_message = "Whole numbers, 1 to 1000."
  }
}

variable "alert_emails" {
  type        = list(string)
  description = "Who is told when something needs a person."
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", address))])
    error_message = "An e-mail address looks like NAME@HOST.DOMAIN."
  }
}

variable "billing_account" {
  type        = string
  description = "The billing account that the budget watches, ABCDEF-ABCDEF-ABCDEF. Null: no budget, and a warning at each plan."
  default     = null

  validation {
    condition     = var.billing_account == null || can(regex("^[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}$", var.billing_account))
    error_message = "A billing account's id is three groups of six hexadecimal digits in capitals, with hyphens between."
  }
}

variable "budget" {
  type        = number
  description = "What a month may cost before people are told, in whole units of the billing account's currency."
  default     = 50

  validation {
    condition     = var.budget > 0 && floor(var.budget) == var.budget
    error_message = "A whole number above 0."
  }
}

variable "app_check" {
  type = object({
    enforcement  = optional(string, "UNENFORCED")
    web_app_id   = optional(string)
    web_site_key = optional(string)
  })
  description = "App Check, once the project is a Firebase project and its apps are registered. UNENFORCED: requests of strangers are counted; ENFORCED: refused. With the id of a web app and its reCAPTCHA Enterprise key that app is attested."
  default     = null

  validation {
    condition     = var.app_check == null || contains(["UNENFORCED", "ENFORCED"], try(var.app_check.enforcement, ""))
    error_message = "Enforcement is UNENFORCED or ENFORCED."
  }

  validation {
    condition     = (try(var.app_check.web_app_id, null) == null) == (try(var.app_check.web_site_key, null) == null)
    error_message = "A web app is attested by its id and its key together."
  }
}

variable "deletion_protection" {
  type        = bool
  description = "Whether the database and buckets that are not empty refuse to be destroyed. To destroy the system, first apply with false."
  default     = true
}
