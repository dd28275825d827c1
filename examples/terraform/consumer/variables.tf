variable "consumer" {
  description = "The consumer's name in mayfly.config.ts."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]*(-[a-z0-9]+)*$", var.consumer)) && length(var.consumer) <= 16
    error_message = "consumer must be 1 to 16 of a-z, 0-9 and single hyphens, a letter first."
  }
}

variable "roles" {
  description = "What it may ask for, each as database/role, e.g. orders/readonly."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for role in var.roles : can(regex("^[a-z0-9-]+/[a-z0-9-]+$", role))])
    error_message = "Each of roles must be written database/role, e.g. orders/readonly."
  }
}

variable "issuer_arns" {
  description = "The issuer function of each database: the stack's output OrdersIssuerArn for orders."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.issuer_arns) : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+$", arn))])
    error_message = "Each of issuer_arns must be a function's ARN without an alias."
  }
}

variable "secret_arns" {
  description = "Rotated secrets that it may read: their whole ARNs."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_arns : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*?]+-[A-Za-z0-9]{6}$", arn))])
    error_message = "Each of secret_arns must be the whole ARN of one secret, with the six characters at its end."
  }
}

variable "secret_key_arns" {
  description = "KMS keys of these secrets, where they have keys of their own."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.secret_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", arn))])
    error_message = "Each of secret_key_arns must be the whole ARN of one key."
  }
}

variable "attach_policy" {
  description = "False where the stack attaches its own policy: for a role of Mayfly's account."
  type        = bool
  default     = true
}

variable "role_name" {
  description = "Name of the role, for a new one. Name its ARN in mayfly.config.ts."
  type        = string
  default     = null
}

variable "existing_role_name" {
  description = "A role that exists, instead of a new one."
  type        = string
  default     = null

  validation {
    condition     = length(concat(var.irsa[*], var.pod_identity[*], var.existing_role_name[*])) == 1
    error_message = "Write exactly one of irsa, pod_identity and existing_role_name."
  }
}

variable "irsa" {
  description = "Pods of EKS by IRSA: the URL of the cluster's issuer, and their service accounts."
  type = object({
    oidc_issuer      = string
    namespace        = string
    service_accounts = set(string)
  })
  default = null

  validation {
    condition     = var.irsa == null ? true : can(regex("^(https://)?(oidc\\.eks\\.[a-z0-9-]+\\.amazonaws\\.com(\\.cn)?|oidc-eks\\.[a-z0-9-]+\\.api\\.(aws|amazonwebservices\\.com\\.cn))/id/[0-9A-Z]{32}$", var.irsa.oidc_issuer))
    error_message = "irsa.oidc_issuer must be the issuer of an EKS cluster, https://oidc.eks.<region>.amazonaws.com/id/<32 letters and digits>."
  }

  validation {
    condition     = var.irsa == null ? true : length(var.irsa.service_accounts) > 0 && !can(regex("[*?$]", jsonencode(var.irsa)))
    error_message = "irsa must name a namespace and service accounts, without wildcards: others could ask."
  }
}

variable "pod_identity" {
  description = "Pods of EKS by Pod Identity: the cluster's name, and their service accounts."
  type = object({
    cluster          = string
    namespace        = string
    service_accounts = set(string)
  })
  default = null

  validation {
    condition     = var.pod_identity == null ? true : length(var.pod_identity.service_accounts) > 0 && !can(regex("[*?$]", jsonencode(var.pod_identity)))
    error_message = "pod_identity must name a namespace and service accounts, without wildcards: others could ask."
  }
}
