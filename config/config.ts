import { CONSUMER_NAME, DATABASE_NAME } from "../core/names.ts";
import { readConsumer } from "./consumer.ts";
import { readDatabase } from "./database.ts";
import { checkExistingOnce } from "./existing-secret.ts";
import { finish } from "./finish.ts";
import type { ParsedConfig } from "./parsed.ts";
import { isObjectOf, type Place, readBoolean, readNamed, readText, within } from "./place.ts";
import type { MayflyConfig } from "./types.ts";

export type {
  ParsedConfig,
  ParsedConsumer,
  ParsedDatabase,
  ParsedHost,
  ParsedRole,
  ParsedSecret,
  ParsedSettings,
  ParsedTrust,
} from "./parsed.ts";
export type { RotationTimesConfig, SecretConfig } from "./secret-types.ts";
export type {
  AlarmsConfig,
  AuditEventsConfig,
  ConsumerConfig,
  DatabaseConfig,
  MayflyConfig,
  RoleConfig,
  VpcConfig,
} from "./types.ts";

const KEYS = ["databases", "consumers", "alarms", "auditEvents", "dashboard"];

/** The configuration as it is, with its type checked where it is written. */
export const defineConfig = (config: MayflyConfig): MayflyConfig => config;

/** `user-service` as CloudFormation outputs spell it: `UserService`. */
export const pascal = (name: string): string =>
  name
    .split("-")
    .map((part) => part.slice(0, 1).toUpperCase() + part.slice(1))
    .join("");

/** Two names that differ in hyphens alone would share an output. */
function checkOutputs(place: Place, names: readonly string[]): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(pascal(name));
    if (other !== undefined)
      place.problems.push(
        `${within(place, name).path}: "${name}" and "${other}" are both "${pascal(name)}" in the stack's outputs; rename one`,
      );
    seen.set(pascal(name), name);
  }
}

/** Secrets of all databases share one list of outputs. */
function checkSecretOutputs(place: Place, databases: ParsedConfig["databases"]): void {
  const seen = new Map<string, string>();
  for (const [database, { secrets }] of Object.entries(databases))
    for (const name of Object.keys(secrets)) {
      const output = pascal(`${database}-${name}`);
      const other = seen.get(output);
      if (other !== undefined)
        place.problems.push(
          `${within(within(within(place, database), "secrets"), name).path}: "${database}/${name}" and "${other}" are both "${output}" in the stack's outputs; rename one`,
        );
      seen.set(output, `${database}/${name}`);
    }
}

function checkTags(place: Place, databases: ParsedConfig["databases"]): void {
  const seen = new Map<string, string>();
  for (const [name, { tag }] of Object.entries(databases)) {
    if (tag === undefined) continue;
    const other = seen.get(tag);
    if (other !== undefined)
      place.problems.push(
        `${within(within(place, name), "tag").path}: "${tag}" is the tag of "${other}" too; write another`,
      );
    seen.set(tag, name);
  }
}

/** Read an object whose one key is an ARN. */
function readArn(place: Place, key: string, kind: string, pattern: RegExp, example: string) {
  if (place.value === undefined || !isObjectOf(place, [key], `give a ${key}`)) return undefined;
  return readText(
    within(place, key),
    (text) => pattern.test(text),
    `is not the ARN of ${kind}`,
    `write it as in "${example}"`,
  );
}

function readAlarms(place: Place): ParsedConfig["alarms"] {
  const topicArn = readArn(
    place,
    "topicArn",
    "an SNS topic",
    /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+$/,
    "arn:aws:sns:eu-west-1:111122223333:on-call",
  );
  return topicArn === undefined ? undefined : { topicArn };
}

function readAuditEvents(place: Place): ParsedConfig["auditEvents"] {
  const busArn = readArn(
    place,
    "busArn",
    "an event bus",
    /^arn:[\w-]+:events:[\w-]+:\d{12}:event-bus\/[\w./-]+$/,
    "arn:aws:events:eu-west-1:111122223333:event-bus/audit",
  );
  return busArn === undefined ? undefined : { busArn };
}

/**
 * Check a configuration and fill in its defaults.
 *
 * @throws ConfigError with every problem, one a line: where it is, what stands there, the remedy.
 */
export function parseConfig(config: unknown): ParsedConfig {
  const problems: string[] = [];
  const root: Place = { path: "", value: config, problems };
  const remedy = "export default defineConfig({ … })";
  if (!isObjectOf({ ...root, path: "config" }, KEYS, remedy))
    return finish({ databases: {}, consumers: {}, dashboard: false }, problems);
  const databasesAt = within(root, "databases");
  const databases = readNamed(
    databasesAt,
    {
      pattern: DATABASE_NAME,
      rule: "1 to 32 of a-z, 0-9 and single hyphens, a letter first",
      remedy: "give at least one database",
    },
    readDatabase,
  );
  const consumersAt = within(root, "consumers");
  const consumers = readNamed(
    consumersAt,
    {
      pattern: CONSUMER_NAME,
      rule: "1 to 16 of a-z, 0-9 and single hyphens, a letter first",
      remedy: "give an object of consumers, or {}",
      mayBeEmpty: true,
    },
    (entry) => readConsumer(entry, databasesAt),
  );
  checkTags(databasesAt, databases);
  checkOutputs(databasesAt, Object.keys(databases));
  checkSecretOutputs(databasesAt, databases);
  checkExistingOnce(databasesAt, databases);
  checkOutputs(consumersAt, Object.keys(consumers));
  const alarms = readAlarms(within(root, "alarms"));
  const auditEvents = readAuditEvents(within(root, "auditEvents"));
  const dashboard = readBoolean(within(root, "dashboard"), false);
  const options = { ...(alarms && { alarms }), ...(auditEvents && { auditEvents }), dashboard };
  return finish({ databases, consumers, ...options }, problems);
}
