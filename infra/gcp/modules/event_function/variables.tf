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
  description = "The function's name: that of its folder, its service and its accounts."
}

variable "image" {
  type        = string
  description = "Its image, by digest. Null: everything but the service and what delivers to it."
  nullable    = true
}

variable "triggers" {
  type = map(object({
    topic            = string
    has_dead_letters = optional(bool, true)
    keep_s           = optional(number, 604800)
  }))
  description = "What it is called for, by the subscription's name: a topic's id, whether messages that it refuses again and again become dead letters, and for how long one waits for it."
}

variable "pubsub_agent" {
  type        = string
  description = "Pub/Sub itself, as a member of policies: it asks for the tokens of pushes, and carries dead letters."
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
  description = "Messages that an instance takes at once."
  default     = 1
}

variable "max_instances" {
  type        = number
  description = "The most instances."
}

variable "timeout_s" {
  type        = number
  description = "The longest that a message may take: less than a push waits for its answer."
  default     = 540

  validation {
    condition     = var.timeout_s > 0 && var.timeout_s <= 540
    error_message = "At most 540 s: Pub/Sub takes a push for lost after 600 s, and delivers it a second time."
  }
}

variable "max_delivery_attempts" {
  type        = number
  description = "How often a message is tried before it is a dead letter."
  default     = 5

  validation {
    condition     = var.max_delivery_attempts >= 5 && var.max_delivery_attempts <= 100
    error_message = "Pub/Sub allows 5 to 100."
  }
}

variable "notification_channels" {
  type        = list(string)
  description = "Who is told when the platform kills an instance or a request."
  default     = []
}
