export type { Credential } from "../core/leases/credential.ts";
export { DynamicDatabase } from "./database/dynamic-database.ts";
export type {
  DatabaseReader,
  DynamicDatabaseProps,
  DynamicRoleProps,
} from "./database/dynamic-database-props.ts";
export { MayflyStack, type MayflyStackProps } from "./mayfly-stack.ts";
export { Alarms, type AlarmsProps } from "./observability/alarms.ts";
export { AuditEvents, type AuditEventsProps } from "./observability/audit-events.ts";
export { AuditSubscription } from "./observability/audit-subscription.ts";
export { LeaseDashboard } from "./observability/lease-dashboard.ts";
export { LOG_QUERIES, LogQueries } from "./observability/log-queries.ts";
export { ConsumerGrant, DynamicRole } from "./roles/dynamic-role.ts";
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
