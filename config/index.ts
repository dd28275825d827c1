export { ConfigError } from "../core/errors.ts";
export { defineConfig, type ParsedConfig, parseConfig } from "./config.ts";
export type {
  RotationTimesConfig,
  SecretConfig,
} from "./secret-types.ts";
export type {
  AlarmsConfig,
  AuditEventsConfig,
  ConsumerConfig,
  DatabaseConfig,
  MayflyConfig,
  RoleConfig,
  VpcConfig,
} from "./types.ts";
