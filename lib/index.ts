export {
  DynamicDatabase,
  type DynamicDatabaseProps,
  type DynamicRoleProps,
} from "./dynamic-database.ts";
export { ConsumerGrant, DynamicRole } from "./dynamic-role.ts";
export { MayflyStack, type MayflyStackProps } from "./mayfly-stack.ts";
export { SandboxDatabase, type SandboxDatabaseProps } from "./sandbox-database.ts";
