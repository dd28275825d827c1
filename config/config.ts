import * as v from "valibot";
import {
  CONSUMER_NAME,
  CONSUMER_NAME_RULE,
  DATABASE_NAME,
  DATABASE_NAME_RULE,
  SECRET_NAME,
} from "../core/names.ts";
import { checkAccess } from "./access.ts";
import {
  type ConsumerFields,
  consumerSchema,
  type ParsedConsumer,
  toConsumer,
} from "./consumer.ts";
import { databaseSchema, type ParsedDatabase, toDatabase } from "./database.ts";
import { checkOutputs } from "./outputs.ts";
import {
  boolean,
  type IsFine,
  named,
  object,
  type Report,
  ruled,
  says,
  text,
} from "./schema/fields.ts";
import { type Key, parse } from "./schema/problems.ts";
import type { SecretFields } from "./secret.ts";

export type { ParsedConsumer, ParsedIdentity } from "./consumer.ts";
export type { ParsedDatabase, ParsedHost, ParsedSettings } from "./database.ts";
export type { IrsaIdentity, ParsedEks, PodIdentity } from "./identity/eks.ts";
export type { GitHubIdentity } from "./identity/github.ts";
export type { GitLabIdentity } from "./identity/gitlab.ts";
export type { IdentityCenterIdentity } from "./identity/identity-center.ts";
export type { ParsedWebIdentity } from "./identity/issuer.ts";
export type { LambdaIdentity } from "./identity/lambda-function.ts";
export type { OidcIdentity } from "./identity/oidc.ts";
export type { RolesAnywhereIdentity } from "./identity/roles-anywhere.ts";
export { pascal } from "./outputs.ts";
export type { ParsedRole } from "./role.ts";
export type { ParsedSecret } from "./secret.ts";
export type { ParsedTrust } from "./trust.ts";

const arn = (kind: string, pattern: RegExp, example: string) =>
  text(pattern, `is not the ARN of ${kind}`, `write it as in "${example}"`);

/** What may be written in `mayfly.config.ts`. */
export const configSchema = ruled(
  object(
    {
      /** The databases, by name (1 to 32 of `[a-z0-9-]`). */
      databases: named(databaseSchema, {
        pattern: DATABASE_NAME,
        rule: DATABASE_NAME_RULE,
        remedy: "give at least one database",
      }),
      /** The consumers, by name (1 to 16 of `[a-z0-9-]`). */
      consumers: named(consumerSchema, {
        pattern: CONSUMER_NAME,
        rule: CONSUMER_NAME_RULE,
        remedy: "give an object of consumers, or {}",
        mayBeEmpty: true,
      }),
      /**
       * Alarms for each database, about $3 a month.
       * @default - none
       */
      alarms: v.optional(
        object(
          {
            /** ARN of an SNS topic of the stack's Region. */
            topicArn: arn(
              "an SNS topic",
              /^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w.-]+$/,
              "arn:aws:sns:eu-west-1:111122223333:on-call",
            ),
          },
          "give a topicArn",
        ),
      ),
      /**
       * Send every audit line as an event to a bus.
       * @default - none
       */
      auditEvents: v.optional(
        object(
          {
            /** ARN of an EventBridge bus of the stack's Region. */
            busArn: arn(
              "an event bus",
              /^arn:[\w-]+:events:[\w-]+:\d{12}:event-bus\/[\w./-]+$/,
              "arn:aws:events:eu-west-1:111122223333:event-bus/audit",
            ),
          },
          "give a busArn",
        ),
      ),
      /**
       * A CloudWatch dashboard for each database, $3 a month.
       * @default false
       */
      dashboard: v.optional(boolean(), false),
      /**
       * Leave out the alias policies, which refuse everybody except the alias's consumer. For
       * Regions without `AWS::Lambda::ResourcePolicy`. Then only IAM policies decide who may invoke
       * which alias.
       * @default false
       */
      aliasUnsealed: v.optional(boolean(), false),
      /**
       * Create grants and consumers in nested stacks. Deployed resources cannot move into nested
       * stacks: write `true` at the start if you expect more than 60 consumers, or 60 grants of one
       * database.
       * @default - the grants of a database with more than 60, and the consumers if there are more
       *   than 60
       */
      nestedStacks: v.optional(boolean()),
    },
    "export default defineConfig({ … })",
  ),
  (config: ConfigFields, report, isFine) => {
    if (config.databases !== undefined) checkDatabases(config.databases, report, isFine);
    const databases = config.databases ?? {};
    const consumers = config.consumers ?? {};
    checkOutputs(
      Object.keys(consumers).map((name) => [["consumers", name], name, name]),
      report,
    );
    checkIds(databases, consumers, report);
    checkAssociations(consumers, report, isFine);
    for (const [name, consumer] of Object.entries(consumers)) {
      const at = ["consumers", name];
      if (isRecord(consumer))
        checkAccess(
          consumer,
          databases,
          (path, message) => report([...at, ...path], message),
          (...path) => isFine(...at, ...path),
        );
    }
  },
);

/** The fields that the rules across databases and consumers read. */
interface ConfigFields {
  readonly databases?: Readonly<Record<string, DatabaseFields>>;
  readonly consumers?: Readonly<Record<string, ConsumerFields>>;
}

interface DatabaseFields {
  readonly tag?: string | undefined;
  readonly sandbox?: unknown;
  readonly roles?: unknown;
  readonly secrets?: Readonly<Record<string, SecretFields>> | undefined;
}

const isRecord = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function checkDatabases(
  databases: Readonly<Record<string, DatabaseFields>>,
  report: Report,
  isFine: IsFine,
): void {
  const all = Object.entries(databases).filter(([, database]) => isRecord(database));
  const tags = new Map<string, string>();
  for (const [name, { tag }] of all) {
    if (tag === undefined || !isFine("databases", name, "tag")) continue;
    const other = tags.get(tag);
    if (other !== undefined)
      report(["databases", name, "tag"], says(`is the tag of "${other}" too`, "write another"));
    tags.set(tag, name);
  }
  const secrets = all.flatMap(([database, { secrets: of }]) =>
    isRecord(of) ? Object.entries(of).map(([name, each]) => [database, name, each] as const) : [],
  );
  const pathOf = (database: string, name: string): readonly Key[] => [
    "databases",
    database,
    "secrets",
    name,
  ];
  checkOutputs(
    all.map(([name]) => [["databases", name], name, name]),
    report,
  );
  // the secrets of all databases share one list of outputs, with those of Mayfly's own logins
  checkOutputs(
    [
      ...all.map(([name]) => [["databases", name], `${name}-issuer`, `${name}/issuer`] as const),
      ...secrets
        .filter(([, name]) => SECRET_NAME.test(name))
        .map(
          ([database, name]) =>
            [pathOf(database, name), `${database}-${name}`, `${database}/${name}`] as const,
        ),
    ],
    report,
  );
  // one secret has one function: two would undo each other's rotations
  const arns = new Map<string, string>();
  for (const [database, name, secret] of secrets) {
    const { secretArn } = isRecord(secret) ? secret : {};
    const path = [...pathOf(database, name), "secretArn"];
    if (secretArn === undefined || !isFine(...path)) continue;
    const other = arns.get(secretArn);
    if (other !== undefined)
      report(path, says(`is rotated as "${other}" already`, "remove one of the two"));
    arns.set(secretArn, `${database}/${name}`);
  }
}

/** In a cluster, a service account has one role by EKS Pod Identity. */
function checkAssociations(
  consumers: Readonly<Record<string, ConsumerFields>>,
  report: Report,
  isFine: IsFine,
): void {
  const taken = new Map<string, string>();
  for (const [name, consumer] of Object.entries(consumers)) {
    const { eks } = isRecord(consumer) ? (consumer as { readonly eks?: PodFields }) : {};
    if (eks?.cluster === undefined || !isFine("consumers", name, "eks")) continue;
    const { cluster, namespace, serviceAccount: one, serviceAccounts = [] } = eks;
    for (const account of one === undefined ? serviceAccounts : [one]) {
      const pod = `${cluster}/${namespace}/${account}`;
      const other = taken.get(pod);
      if (other !== undefined)
        report(
          ["consumers", name, "eks"],
          `the service account ${pod} is consumer "${other}" already, and EKS gives it one role; write the roles of both in one consumer`,
        );
      taken.set(pod, name);
    }
  }
}

interface PodFields {
  readonly cluster?: string;
  readonly namespace?: string;
  readonly serviceAccount?: string;
  readonly serviceAccounts?: readonly string[];
}

/** Refuses a database with the name that the stack gives to another part of itself. */
function checkIds(
  databases: Readonly<Record<string, DatabaseFields>>,
  consumers: Readonly<Record<string, unknown>>,
  report: Report,
): void {
  const taken = new Map<string, string>([
    ...Object.keys(consumers).map((name) => [`consumer-${name}`, `consumer "${name}"`] as const),
    ...Object.entries(databases)
      .filter(([, database]) => isRecord(database) && database.sandbox === true)
      .map(([name]) => [`${name}-sandbox`, `the sandbox of "${name}"`] as const),
  ]);
  for (const name of Object.keys(databases)) {
    const other = taken.get(name);
    if (other !== undefined)
      report(
        ["databases", name],
        `"${name}" is what the stack calls ${other}; rename the database`,
      );
  }
}

/** What a user writes in `mayfly.config.ts`. */
export type MayflyConfig = v.InferInput<typeof configSchema>;
/** One database: where it is, and which dynamic roles it has. */
export type DatabaseConfig = MayflyConfig["databases"][string];
/** A dynamic role. Privileges name `schema.*` or `schema.table`; at least one is needed. */
export type RoleConfig = DatabaseConfig["roles"][string];
/** A Secrets Manager secret whose password is rotated. */
export type SecretConfig = NonNullable<DatabaseConfig["secrets"]>[string];
/** An existing VPC, described completely so that synthesis does not call AWS. */
export type VpcConfig = NonNullable<DatabaseConfig["vpc"]>;
/** Who is notified when an alarm rings. */
export type AlarmsConfig = NonNullable<MayflyConfig["alarms"]>;
/** Where audit events go. */
export type AuditEventsConfig = NonNullable<MayflyConfig["auditEvents"]>;
/** When a secret is rotated. */
export type RotationTimesConfig = NonNullable<DatabaseConfig["loginRotation"]>;
/** A workload, its dynamic roles and its secrets. */
export type ConsumerConfig = MayflyConfig["consumers"][string];

/** A checked configuration with every default filled in. Frozen. */
export interface ParsedConfig {
  readonly databases: Readonly<Record<string, ParsedDatabase>>;
  readonly consumers: Readonly<Record<string, ParsedConsumer>>;
  readonly alarms?: { readonly topicArn: string };
  readonly auditEvents?: { readonly busArn: string };
  readonly dashboard: boolean;
  readonly aliasUnsealed: boolean;
  /** Undefined: Mayfly decides by the number of grants and consumers. */
  readonly nestedStacks?: boolean;
}

/** Returns the configuration unchanged; TypeScript checks its type. */
export const defineConfig = (config: MayflyConfig): MayflyConfig => config;

const toConfig = ({
  databases,
  consumers,
  alarms,
  auditEvents,
  dashboard,
  aliasUnsealed,
  nestedStacks,
}: v.InferOutput<typeof configSchema>): ParsedConfig => ({
  databases: Object.fromEntries(
    Object.entries(databases).map(([name, each]) => [name, toDatabase(each)]),
  ),
  consumers: Object.fromEntries(
    Object.entries(consumers).map(([name, each]) => [name, toConsumer(each)]),
  ),
  ...(alarms !== undefined && { alarms }),
  ...(auditEvents !== undefined && { auditEvents }),
  dashboard,
  aliasUnsealed,
  ...(nestedStacks !== undefined && { nestedStacks }),
});

/**
 * Check a configuration and fill in its defaults.
 *
 * @throws ConfigError with every problem, one per line: path, value, remedy.
 */
export const parseConfig = (config: unknown): ParsedConfig => parse(configSchema, config, toConfig);
