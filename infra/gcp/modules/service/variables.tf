variable "project" {
  type        = string
  description = "The project's id."
}

variable "region" {
  type        = string
  description = "Where it runs."
}

variable "name" {
  type        = string
  description = "The unit's name, and the service's."
}

variable "image" {
  type        = string
  description = "Its image, by digest. Null: everything but the service itself."
  nullable    = true

  validation {
    condition     = var.image == null || can(regex("@sha256:[0-9a-f]{64}$", coalesce(var.image, "-")))
    error_message = "An image is named by its digest."
  }
}

variable "environment" {
  type        = map(string)
  description = "Its settings."
}

variable "buckets" {
  type        = map(string)
  description = "What it may do in a bucket: the role, by the bucket's name."
  default     = {}
}

variable "publishes" {
  type        = set(string)
  description = "Names of the topics that it publishes to."
  default     = []
}

variable "cpu" {
  type        = number
  description = "vCPUs of an instance."
  default     = 1
}

variable "memory" {
  type        = string
  description = "Memory of an instance, such as 512Mi."
  default     = "512Mi"
}

variable "concurrency" {
  type        = number
  description = "Requests that an instance answers at once."
  default     = 1
}

variable "max_instances" {
  type        = number
  description = "The most instances."
}

variable "timeout_s" {
  type        = number
  description = "The longest that a request may take."
}

variable "is_public" {
  type        = bool
  description = "Whether anybody may call it, from the internet. Otherwise only this project's own services, and those that are granted it."
  default     = false
}

variable "notification_channels" {
  type        = list(string)
  description = "Who is told when the platform kills an instance or a request."
  default     = []
}
