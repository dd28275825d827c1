# A lease for the postgresql provider. Nothing of it is in the state or in the plan.
terraform {
  required_version = ">= 1.10"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.8"
    }
    postgresql = {
      source  = "cyrilgdn/postgresql"
      version = ">= 1.25"
    }
  }
}

variable "issuer_arn" {
  description = "The stack's output OrdersIssuerArn."
  type        = string
}

variable "ca_file" {
  description = "PEM file of the authorities of the database's certificate, e.g. of RDS."
  type        = string
}

provider "aws" {
  region = "eu-west-1"
}

ephemeral "aws_lambda_invocation" "lease" {
  function_name = var.issuer_arn
  qualifier     = "terraform--readonly"
  payload = jsonencode({
    action = "issue"
    # plan and apply of one run ask with one key, and get one lease while it lives
    idempotencyKey = "terraform-${plantimestamp()}"
    ttlSeconds     = 3600
  })
}

locals {
  lease = jsondecode(ephemeral.aws_lambda_invocation.lease.result)
}

provider "postgresql" {
  host        = local.lease.host
  port        = local.lease.port
  database    = local.lease.dbname
  username    = local.lease.username
  password    = local.lease.password
  sslmode     = local.lease.sslmode
  sslrootcert = var.ca_file
  superuser   = false
}

data "postgresql_tables" "orders" {
  database = "orders"
  schemas  = ["public"]
}

output "tables" {
  value = [for table in data.postgresql_tables.orders.tables : table.object_name]
}
