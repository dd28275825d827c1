# A consumer in another account than Mayfly. In mayfly.config.ts: otherAccountRoleArn, with the
# output's ARN; the alias's own policy then allows this role.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

variable "mayfly_account_role" {
  description = "A role of Mayfly's account that may cloudformation:DescribeStacks."
  type        = string
}

provider "aws" {
  region = "eu-west-1"
}

provider "aws" {
  alias  = "mayfly"
  region = "eu-west-1"

  assume_role {
    role_arn = var.mayfly_account_role
  }
}

data "aws_cloudformation_stack" "mayfly" {
  provider = aws.mayfly
  name     = "Mayfly"
}

data "aws_eks_cluster" "main" {
  name = "main"
}

module "user_service" {
  source = "../consumer"

  consumer    = "user-service"
  role_name   = "user-service"
  roles       = ["orders/readonly"]
  issuer_arns = { orders = data.aws_cloudformation_stack.mayfly.outputs["OrdersIssuerArn"] }

  irsa = {
    oidc_issuer      = data.aws_eks_cluster.main.identity[0].oidc[0].issuer
    namespace        = "shop"
    service_accounts = ["user-service"]
  }
}

output "role_arn" {
  value = module.user_service.role_arn
}

output "environment" {
  value = module.user_service.environment
}
