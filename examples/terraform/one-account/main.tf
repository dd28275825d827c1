# Consumers in Mayfly's own account. In mayfly.config.ts: roleArn, with the ARNs of the outputs.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

data "aws_cloudformation_stack" "mayfly" {
  name = "Mayfly"
}

locals {
  issuer_arns = { orders = data.aws_cloudformation_stack.mayfly.outputs["OrdersIssuerArn"] }
}

data "aws_eks_cluster" "main" {
  name = "main"
}

module "user_service" {
  source = "../consumer"

  consumer      = "user-service"
  role_name     = "user-service"
  roles         = ["orders/readonly", "orders/readwrite"]
  issuer_arns   = local.issuer_arns
  attach_policy = false # the stack attaches its own

  irsa = {
    oidc_issuer      = data.aws_eks_cluster.main.identity[0].oidc[0].issuer
    namespace        = "shop"
    service_accounts = ["user-service"]
  }
}

module "reporting" {
  source = "../consumer"

  consumer      = "reporting"
  role_name     = "reporting"
  roles         = ["orders/readonly"]
  issuer_arns   = local.issuer_arns
  attach_policy = false

  pod_identity = {
    cluster          = data.aws_eks_cluster.main.name
    namespace        = "reports"
    service_accounts = ["daily", "weekly"]
  }
}

output "role_arns" {
  value = {
    user-service = module.user_service.role_arn
    reporting    = module.reporting.role_arn
  }
}

output "environments" {
  value = {
    user-service = module.user_service.environment
    reporting    = module.reporting.environment
  }
}
