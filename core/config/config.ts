import { ConfigError } from "../errors.ts";
import { CONSUMER_NAME, DATABASE_NAME, ISSUER_SECRET, ROLE_NAME, SECRET_NAME } from "../names.ts";
import type { RotationTimes } from "../rotation/schedule.ts";
import { readConsumer } from "./consumer.ts";
import { readDatabase, readSettings, readTrust } from "./database.ts";
import type {
  ParsedConfig,
  ParsedRole,
  ParsedSecret,
  ParsedSettings,
  ParsedTrust,
} from "./parsed.ts";
import { isObjectOf, type Place, readBoolean, readNamed, readText, within } from "./place.ts";
import { readRole } from "./role.ts";
import { readIssuerRotation, readSecret, type SecretContext } from "./secret.ts";
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

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null)
    for (const inner of Object.values(Object.freeze(value))) freeze(inner);
  return value;
}

/** Throw one ConfigError with all problems, one a line, or return the frozen result. */
function finish<T>(value: T, problems: readonly string[]): T {
  if (problems.length > 0) throw new ConfigError(problems.join("\n"));
  return freeze(value);
}

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
  checkOutputs(consumersAt, Object.keys(consumers));
  const alarms = readAlarms(within(root, "alarms"));
  const auditEvents = readAuditEvents(within(root, "auditEvents"));
  const dashboard = readBoolean(within(root, "dashboard"), false);
  const options = { ...(alarms && { alarms }), ...(auditEvents && { auditEvents }), dashboard };
  return finish({ databases, consumers, ...options }, problems);
}

/**
 * Check one dynamic role as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseRole(name: string, value: unknown): ParsedRole {
  const problems: string[] = [];
  if (!ROLE_NAME.test(name))
    problems.push(
      `"${name}" is not a role name; write 1 to 14 of a-z, 0-9 and single hyphens, a letter first`,
    );
  const role = readRole({ path: name, value, problems });
  return finish(role as ParsedRole, problems);
}

/**
 * Check one database's settings as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseSettings(name: string, value: unknown): ParsedSettings & ParsedTrust {
  const problems: string[] = [];
  if (!DATABASE_NAME.test(name))
    problems.push(
      `"${name}" is not a database name; write 1 to 32 of a-z, 0-9 and single hyphens, a letter first`,
    );
  const place: Place = { path: name, value, problems };
  return finish({ ...readSettings(place), ...readTrust(place) }, problems);
}

/**
 * Check one rotated secret as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseSecret(name: string, value: unknown, context: SecretContext): ParsedSecret {
  const problems: string[] = [];
  if (!SECRET_NAME.test(name))
    problems.push(
      `"${name}" is not a secret's name; write 1 to 16 of a-z, 0-9 and single hyphens, a letter first, and not "${ISSUER_SECRET}"`,
    );
  const secret = readSecret({ path: name, value, problems }, context);
  return finish(secret as ParsedSecret, problems);
}

/**
 * Check when the issuer's logins are rotated as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseIssuerRotation(name: string, value: unknown): RotationTimes {
  const problems: string[] = [];
  const times = readIssuerRotation({ path: `${name}.issuerRotation`, value, problems });
  return finish(times, problems);
}
