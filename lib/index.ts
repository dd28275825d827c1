export { DynamicDatabase } from "./dynamic-database.ts";
export type { DynamicDatabaseProps, DynamicRoleProps } from "./dynamic-database-props.ts";
export { ConsumerGrant, DynamicRole } from "./dynamic-role.ts";
export { MayflyStack, type MayflyStackProps } from "./mayfly-stack.ts";
export { SandboxDatabase, type SandboxDatabaseProps } from "./sandbox-database.ts";
