import * as v from "valibot";
import {
  MAINTENANCE_DATABASE,
  MAX_SHARDS,
  ROLE_NAME,
  ROLE_NAME_RULE,
  SECRET_NAME,
  SECRET_NAME_RULE,
  TAG,
} from "../core/names.ts";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import { COMPLETE_ARN } from "./existing-secret.ts";
import { type ReaderAddress, readerAddress, readerEntries } from "./readers.ts";
import { type ParsedRole, roleSchema, toRole } from "./role.ts";
import { loginRotationSchema, toTimes, WRITTEN_TIMES } from "./rotation-times.ts";
import {
  boolean,
  type IsFine,
  list,
  named,
  object,
  oneOf,
  type Report,
  ruled,
  says,
  text,
  whole,
} from "./schema/fields.ts";
import { writtenLength } from "./schema/length.ts";
import { type ParsedSecret, type SecretFields, secretSchema, toSecret } from "./secret.ts";
import { checkSecrets, type DatabaseOfSecrets } from "./secret-rules.ts";
import { checkTrust, type ParsedTrust, type TrustFields, toTrust, trustEntries } from "./trust.ts";
import { vpcSchema } from "./vpc.ts";

const DEFAULT_PORT = 5_432;
const DEFAULT_SHARDS = 64;

/** Databases that cannot be an application's, besides Mayfly's own. */
const RESERVED = ["template0", "template1", "rdsadmin"];
const RESERVED_FOR_ALL = [...RESERVED, "postgres"];

const isName = (name: string): boolean =>
  name !== "" && !name.includes("\0") && Buffer.byteLength(name) <= 63;

/** A secret's name, or its complete ARN. */
const isSecret = (nameOrArn: string): boolean =>
  nameOrArn.startsWith("arn:")
    ? COMPLETE_ARN.test(nameOrArn)
    : /^[\w/+=.@!-]{1,512}$/.test(nameOrArn);

/** The fields of every database, except its roles and secrets. */
const settingsEntries = {
  /** The application databases in which the roles work. Credentials name the first. */
  databases: list(
    'list the application databases, e.g. ["orders"]',
    text(
      (name) => isName(name) && !RESERVED.includes(name),
      "is not an application database",
      `write a name of 1 to 63 bytes other than ${RESERVED.join(", ")}`,
    ),
  ),
  /** The role that owns the tables. The administrator must be a member while grants are missing. */
  owner: text(
    (name) => isName(name) && !/^(?:mf|pg)_/.test(name),
    "is not an owner of tables",
    'name the PostgreSQL role that owns them, 1 to 63 bytes, no "mf_" or "pg_" in front',
  ),
  /**
   * Four of `[a-z2-7]`, part of the name of every PostgreSQL role. Never change it.
   * @default - derived from the construct's address
   */
  tag: v.optional(text(TAG, "is not a tag", "write four of a-z and 2-7")),
  /**
   * How many issuer roles share the leases, 1 to 1,024. Never lower it.
   * @default 64
   */
  shards: v.optional(whole(1, MAX_SHARDS), DEFAULT_SHARDS),
  /**
   * Mayfly's own database, where its roles are created and nobody else may connect: 1 to 63 of
   * `[a-z0-9_]`. Never change it.
   * @default "mayfly"
   */
  maintenanceDatabase: v.optional(
    text(
      (name) => /^[a-z][a-z0-9_]{0,62}$/.test(name) && !RESERVED_FOR_ALL.includes(name),
      "is not a name for Mayfly's own database",
      `write 1 to 63 of a-z, 0-9 and _, a letter first, and none of ${RESERVED_FOR_ALL.join(", ")}`,
    ),
  ),
  /**
   * PostgreSQL users whose sessions each sweep notes, to find out who still uses them: 1 to 20.
   * @default - none
   */
  watch: v.optional(
    list(
      'list PostgreSQL users, e.g. ["orders_app"]',
      text(
        (name) => isName(name) && !/^(?:mf|pg)_/.test(name),
        "is not a user to watch",
        'write the name of a PostgreSQL user, 1 to 63 bytes, no "mf_" or "pg_" in front',
      ),
    ),
  ),
  /**
   * Limit connections by reserved concurrency. New accounts may lack the quota.
   * @default true
   */
  reserveConcurrency: v.optional(boolean(), true),
};

interface SettingsFields {
  readonly databases: readonly string[];
  readonly owner: string;
  readonly tag?: string | undefined;
  readonly shards: number;
  readonly maintenanceDatabase?: string | undefined;
  readonly watch?: readonly string[] | undefined;
  readonly reserveConcurrency: boolean;
}

/** Every user has a note for each server, and `mayfly status` shows all of them. */
const MAX_WATCHED = 20;

/** No application database may be Mayfly's own database, and not too many users are watched. */
function checkSettings(settings: SettingsFields, report: Report, isFine: IsFine): void {
  const { watch = [] } = settings;
  if (isFine("watch") && watch.length > MAX_WATCHED)
    report(
      ["watch"],
      `${watch.length} users are more than ${MAX_WATCHED}; watch those that are to go next`,
    );
  if (!isFine("databases")) return;
  const { databases, maintenanceDatabase } = settings;
  if (maintenanceDatabase === undefined) {
    const index = databases.indexOf(MAINTENANCE_DATABASE);
    if (index >= 0)
      report(
        ["databases", index],
        says(
          "is Mayfly's own database",
          'write another, or give Mayfly\'s own another name in "maintenanceDatabase"',
        ),
      );
  } else if (databases.includes(maintenanceDatabase))
    report(
      ["maintenanceDatabase"],
      says("is an application database", "name one that is nobody else's"),
    );
}

/** What every database has, with every default filled in. */
export interface ParsedSettings {
  readonly databases: readonly string[];
  readonly maintenanceDatabase: string;
  readonly owner: string;
  readonly tag?: string;
  readonly shards: number;
  readonly reserveConcurrency: boolean;
  readonly watch?: readonly string[];
}

const toSettings = (fields: SettingsFields): ParsedSettings => ({
  databases: fields.databases,
  maintenanceDatabase: fields.maintenanceDatabase ?? MAINTENANCE_DATABASE,
  owner: fields.owner,
  shards: fields.shards,
  reserveConcurrency: fields.reserveConcurrency,
  ...(fields.tag !== undefined && { tag: fields.tag }),
  ...(fields.watch !== undefined && { watch: fields.watch }),
});

/** The settings of a database and how its server is trusted: the input of a construct. */
export const settingsSchema = ruled(
  object({ ...settingsEntries, ...trustEntries }, "give databases and owner"),
  (fields: SettingsFields & TrustFields, report, isFine) => {
    checkSettings(fields, report, isFine);
    if (isFine("tls") && isFine("ca")) checkTrust(fields, report);
  },
);

export const toSettingsAndTrust = (
  fields: v.InferOutput<typeof settingsSchema>,
): ParsedSettings & ParsedTrust => ({ ...toSettings(fields), ...toTrust(fields) });

/** The fields of a database besides its settings. */
const contentEntries = {
  /** The dynamic roles, by name (1 to 14 of `[a-z0-9-]`). */
  roles: named(roleSchema(writtenLength), {
    pattern: ROLE_NAME,
    rule: ROLE_NAME_RULE,
    remedy: "give at least one role",
  }),
  /**
   * Secrets Manager secrets whose passwords are rotated, by name (1 to 16 of `[a-z0-9-]`). For
   * applications that cannot ask for leases.
   * @default - none
   */
  secrets: v.optional(
    named(secretSchema(WRITTEN_TIMES, { usersAreMade: true, cluster: false }), {
      pattern: SECRET_NAME,
      rule: SECRET_NAME_RULE,
      remedy: "give an object of secrets, or leave it out",
      mayBeEmpty: true,
    }),
  ),
  /**
   * When the passwords of Mayfly's own logins are rotated: the two issuer logins and the janitor.
   * @default - every 30 days
   */
  loginRotation: v.optional(loginRotationSchema(WRITTEN_TIMES), {}),
  /**
   * Create the database's resources in a separate stack, `<stack>-<database>`. Never change it, and
   * never reorder databases without it: deployed resources cannot move to another stack.
   * @default - false for the first database, true for all others
   */
  ownStack: v.optional(boolean()),
};

/** An existing PostgreSQL server. */
const hostEntries = {
  host: text(
    /^[A-Za-z0-9.-]{1,253}$/,
    "is not a host name",
    'write the name alone, without protocol or port, e.g. "db.example.com"',
  ),
  /** @default 5432 */
  port: v.optional(whole(1, 65_535), DEFAULT_PORT),
  ...trustEntries,
  /** Name or complete ARN of the administrator's secret, an AWS database secret. */
  adminSecret: text(isSecret, "is not a secret", "write its name or its complete ARN"),
  /**
   * An id that a copy of this server does not have, e.g. its `DbiResourceId`. When it changes,
   * every lease is revoked.
   * @default - host and port
   */
  serverId: v.optional(
    text(
      /^[\x21-\x7e]{1,256}$/,
      "is not a server's id",
      'write 1 to 256 printable characters without spaces, e.g. its DbiResourceId, "db-ABC…"',
    ),
  ),
  ...readerEntries,
  /** Where the functions run. */
  vpc: vpcSchema,
};

type HostKey = keyof typeof hostEntries;

/** The stack creates the sandbox's server, so these fields are refused. */
const ofHost = v.optional(
  v.never(says("is only for an existing server", "remove it, or remove sandbox")),
);
const noHostEntries = Object.fromEntries(
  Object.keys(hostEntries).map((key) => [key, ofHost]),
) as Readonly<Record<HostKey, typeof ofHost>>;

/** The stack creates a VPC and an RDS PostgreSQL with a seeded table, to try Mayfly. */
const sandboxEntries = {
  sandbox: v.literal(true, says("is not true", "write true, or remove it and give a host")),
};

const remedy = "describe the database, with sandbox: true or a host";

type DatabaseFields = SettingsFields &
  DatabaseOfSecrets &
  Partial<Omit<v.InferOutput<ReturnType<typeof hostObject>>, keyof SettingsFields>>;

const hostObject = () =>
  object(
    { sandbox: v.optional(v.never()), ...hostEntries, ...settingsEntries, ...contentEntries },
    remedy,
  );

function checkHost(fields: DatabaseFields, report: Report, isFine: IsFine): void {
  const { host, port, tls, ca, readers = [], cluster, instance } = fields;
  if (tls !== undefined && isFine("tls") && isFine("ca")) checkTrust({ tls, ca }, report);
  if (cluster !== undefined && instance !== undefined)
    report(["instance"], says("cannot be combined with cluster", "remove one of the two"));
  if (!isFine("host") || !isFine("port") || !isFine("readers") || port === undefined) return;
  const addresses = readers.map((reader) => readerAddress(reader, port));
  if (addresses.some((each) => each.host === host && each.port === port))
    report(["readers"], says("names the writer", "remove it: the writer is looked at anyway"));
}

const rules = (fields: DatabaseFields, report: Report, isFine: IsFine): void => {
  checkSettings(fields, report, isFine);
  checkSecrets(fields, report, isFine);
  if (fields.sandbox !== true) checkHost(fields, report, isFine);
  else if (isFine("databases") && fields.databases.length > 1)
    report(
      ["databases"],
      says("is more than one database, and a sandbox has one", "list one database"),
    );
};

const kinds = {
  sandbox: ruled(
    object({ ...sandboxEntries, ...noHostEntries, ...settingsEntries, ...contentEntries }, remedy),
    rules,
  ),
  host: ruled(hostObject(), rules),
};

/** Neither a sandbox nor a host: the other fields are checked anyway. */
const neither = ruled(object({ ...settingsEntries, ...contentEntries }, remedy), (_, report) =>
  report(
    [],
    "neither a sandbox nor a host; write sandbox: true, or a host with adminSecret and vpc",
  ),
);

/** One database: its server and its dynamic roles. */
export const databaseSchema = oneOf(
  kinds,
  (value) => {
    if (value.sandbox !== undefined) return "sandbox";
    const isHost = Object.keys(hostEntries).some((key) => value[key] !== undefined);
    return isHost ? "host" : undefined;
  },
  neither,
  says("is not an object", remedy),
);

/** An existing server, with every default filled in. */
export interface ParsedHost extends ParsedTrust {
  readonly host: string;
  readonly port: number;
  readonly adminSecret: string;
  readonly serverId?: string;
  /** The readers that the configuration names. */
  readonly readers?: readonly ReaderAddress[];
  readonly cluster?: string;
  readonly instance?: string;
  readonly vpc: v.InferOutput<typeof vpcSchema>;
}

/** A database with every default filled in. `target` is undefined for the sandbox. */
export interface ParsedDatabase extends ParsedSettings {
  readonly target: ParsedHost | undefined;
  readonly roles: Readonly<Record<string, ParsedRole>>;
  readonly secrets: Readonly<Record<string, ParsedSecret>>;
  readonly loginRotation: RotationTimes;
  /** Undefined: true for every database except the first. */
  readonly ownStack?: boolean;
}

type DatabaseOutput = v.InferOutput<typeof databaseSchema>;

function toHost(fields: Extract<DatabaseOutput, { readonly host: string }>): ParsedHost {
  const { host, port, adminSecret, serverId, readers, cluster, instance, vpc } = fields;
  return {
    host,
    port,
    ...(readers !== undefined && { readers: readers.map((each) => readerAddress(each, port)) }),
    ...(cluster !== undefined && { cluster }),
    ...(instance !== undefined && { instance }),
    adminSecret,
    ...(serverId !== undefined && { serverId }),
    vpc,
    ...toTrust(fields),
  };
}

const mapValues = <From, To>(
  record: Readonly<Record<string, From>>,
  convert: (each: From) => To,
): Readonly<Record<string, To>> =>
  Object.fromEntries(Object.entries(record).map(([name, each]) => [name, convert(each)]));

/** A database whose fields were read. */
export const toDatabase = (fields: DatabaseOutput): ParsedDatabase => ({
  target: fields.host === undefined ? undefined : toHost(fields),
  ...toSettings(fields),
  roles: mapValues(fields.roles, toRole),
  secrets: mapValues<SecretFields, ParsedSecret>(fields.secrets ?? {}, toSecret),
  loginRotation: toTimes(fields.loginRotation),
  ...(fields.ownStack !== undefined && { ownStack: fields.ownStack }),
});
