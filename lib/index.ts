export type { Credential } from "../core/leases/credential.ts";
export { DynamicDatabase } from "./database/dynamic-database.ts";
export type {
  DatabaseReader,
  DynamicDatabaseProps,
  DynamicRoleProps,
} from "./database/dynamic-database-props.ts";
export { Ec2Role } from "./identity/ec2-role.ts";
export { EcsTaskRole } from "./identity/ecs-task-role.ts";
export { GitHubRole, type GitHubRoleProps } from "./identity/github-role.ts";
export { GitLabRole, type GitLabRoleProps } from "./identity/gitlab-role.ts";
export { IdentityCenterRole } from "./identity/identity-center-role.ts";
export type { ConsumerRoleProps } from "./identity/identity-role.ts";
export { IrsaRole, type IrsaRoleProps } from "./identity/irsa-role.ts";
export { LambdaRole, type LambdaRoleProps } from "./identity/lambda-role.ts";
export { OidcRole, type OidcRoleProps } from "./identity/oidc-role.ts";
export { OtherAccountRole } from "./identity/other-account-role.ts";
export { PodIdentityRole, type PodIdentityRoleProps } from "./identity/pod-identity-role.ts";
export type { AllowedCallers, RoleElsewhere } from "./identity/role-elsewhere.ts";
export { RolesAnywhereRole, type RolesAnywhereRoleProps } from "./identity/roles-anywhere-role.ts";
export { MayflyStack, type MayflyStackProps } from "./mayfly-stack.ts";
export { Alarms, type AlarmsProps } from "./observability/alarms.ts";
export { AuditEvents, type AuditEventsProps } from "./observability/audit-events.ts";
export { AuditSubscription } from "./observability/audit-subscription.ts";
export { LeaseDashboard } from "./observability/lease-dashboard.ts";
export { LOG_QUERIES, LogQueries } from "./observability/log-queries.ts";
export { ConsumerGrant, type ConsumerOptions, DynamicRole } from "./roles/dynamic-role.ts";
export type { Workload } from "./roles/workload.ts";
export { RotatedSecret } from "./rotation/rotated-secret.ts";
export type {
  AddRotatedSecretProps,
  RotatedSecretOptions,
  RotatedSecretProps,
  RotationTimesProps,
} from "./rotation/rotated-secret-props.ts";
export { RotationSchedule } from "./rotation/rotation-schedule.ts";
export { SandboxConsumer, type SandboxConsumerProps } from "./sandbox/sandbox-consumer.ts";
export { SandboxDatabase, type SandboxDatabaseProps } from "./sandbox/sandbox-database.ts";
export { addAgentSidecar } from "./sidecar/add-agent-sidecar.ts";
export type {
  AgentSidecarProps,
  SidecarFile,
  SidecarLease,
  SidecarLogin,
  SidecarSecret,
  SidecarSecretsManager,
} from "./sidecar/agent-sidecar-props.ts";
