variable "project" {
  type        = string
  description = "The project's id."
}

variable "name" {
  type        = string
  description = "The unit that acts by this account."
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
