output "role_arn" {
  description = "For mayfly.config.ts, and for the annotation eks.amazonaws.com/role-arn with IRSA."
  value       = local.role_arn
}

output "environment" {
  description = "Variables for the workload and its agent. None is a secret."
  value       = { for role, alias in local.aliases : "MAYFLY_LEASE_${upper(replace(replace(role, "/", "_"), "-", "_"))}" => alias }
}
