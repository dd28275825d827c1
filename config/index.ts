export { ConfigError } from "../core/errors.ts";
export {
  type AlarmsConfig,
  type AuditEventsConfig,
  type ConsumerConfig,
  type DatabaseConfig,
  defineConfig,
  type MayflyConfig,
  type ParsedConfig,
  parseConfig,
  type RoleConfig,
  type RotationTimesConfig,
  type SecretConfig,
  type VpcConfig,
} from "./config.ts";
