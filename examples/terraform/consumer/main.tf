data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  region    = data.aws_region.current.region

  # one alias a role: <issuer>:<consumer>--<role>
  aliases = { for role in var.roles : role => "${var.issuer_arns[split("/", role)[0]]}:${var.consumer}--${split("/", role)[1]}" }

  role_name = one(concat(aws_iam_role.irsa[*].name, aws_iam_role.pod_identity[*].name, var.existing_role_name[*]))
  role_arn  = one(concat(aws_iam_role.irsa[*].arn, aws_iam_role.pod_identity[*].arn, data.aws_iam_role.existing[*].arn))
}

data "aws_iam_role" "existing" {
  count = var.existing_role_name == null ? 0 : 1
  name  = var.existing_role_name
}

# the account has the cluster's OIDC provider: of the EKS module, or aws_iam_openid_connect_provider
resource "aws_iam_role" "irsa" {
  count = var.irsa == null ? 0 : 1
  name  = var.role_name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = "arn:${local.partition}:iam::${local.account}:oidc-provider/${trimprefix(var.irsa.oidc_issuer, "https://")}" }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${trimprefix(var.irsa.oidc_issuer, "https://")}:aud" = "sts.amazonaws.com"
          "${trimprefix(var.irsa.oidc_issuer, "https://")}:sub" = [for account in var.irsa.service_accounts : "system:serviceaccount:${var.irsa.namespace}:${account}"]
        }
      }
    }]
  })
}

resource "aws_iam_role" "pod_identity" {
  count = var.pod_identity == null ? 0 : 1
  name  = var.role_name
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "pods.eks.amazonaws.com" }
      Action    = ["sts:AssumeRole", "sts:TagSession"]
      Condition = {
        StringEquals = {
          "aws:RequestTag/eks-cluster-arn"            = "arn:${local.partition}:eks:${local.region}:${local.account}:cluster/${var.pod_identity.cluster}"
          "aws:RequestTag/kubernetes-namespace"       = var.pod_identity.namespace
          "aws:RequestTag/kubernetes-service-account" = [for account in var.pod_identity.service_accounts : account]
        }
      }
    }]
  })
}

resource "aws_eks_pod_identity_association" "this" {
  for_each        = var.pod_identity == null ? toset([]) : var.pod_identity.service_accounts
  cluster_name    = var.pod_identity.cluster
  namespace       = var.pod_identity.namespace
  service_account = each.value
  role_arn        = local.role_arn
}

resource "aws_iam_role_policy" "leases" {
  count = var.attach_policy && length(var.roles) > 0 ? 1 : 0
  name  = "mayfly-${var.consumer}"
  role  = local.role_name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "AskMayfly"
      Effect   = "Allow"
      Action   = "lambda:InvokeFunction"
      Resource = values(local.aliases)
    }]
  })
}

resource "aws_iam_role_policy" "secrets" {
  count = var.attach_policy && length(var.secret_arns) > 0 ? 1 : 0
  name  = "mayfly-${var.consumer}-secrets"
  role  = local.role_name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
      Resource = [for arn in var.secret_arns : arn]
    }]
  })
}

resource "aws_iam_role_policy" "secret_keys" {
  count = var.attach_policy && length(var.secret_key_arns) > 0 ? 1 : 0
  name  = "mayfly-${var.consumer}-secret-keys"
  role  = local.role_name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "kms:Decrypt"
      Resource  = [for arn in var.secret_key_arns : arn]
      Condition = { StringEquals = { "kms:ViaService" = "secretsmanager.${local.region}.${data.aws_partition.current.dns_suffix}" } }
    }]
  })
}
