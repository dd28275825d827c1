export { Alarms, type AlarmsProps } from "./alarms.ts";
export { AuditEvents, type AuditEventsProps } from "./audit-events.ts";
export { AuditSubscription } from "./audit-subscription.ts";
export { DynamicDatabase } from "./dynamic-database.ts";
export type {
  DatabaseReader,
  DynamicDatabaseProps,
  DynamicRoleProps,
} from "./dynamic-database-props.ts";
export { ConsumerGrant, DynamicRole } from "./dynamic-role.ts";
export { LeaseDashboard } from "./lease-dashboard.ts";
export { LOG_QUERIES, LogQueries } from "./log-queries.ts";
export { MayflyStack, type MayflyStackProps } from "./mayfly-stack.ts";
export { RotatedSecret } from "./rotated-secret.ts";
export type {
  AddRotatedSecretProps,
  RotatedSecretOptions,
  RotatedSecretProps,
  RotationTimesProps,
} from "./rotated-secret-props.ts";
export { RotationSchedule } from "./rotation-schedule.ts";
export { SandboxConsumer, type SandboxConsumerProps } from "./sandbox-consumer.ts";
export { SandboxDatabase, type SandboxDatabaseProps } from "./sandbox-database.ts";
