import * as v from "valibot";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import type { PasswordPolicy, RotationStrategy } from "../core/rotation/settings.ts";
import { COMPLETE_ARN, isManagedByRds } from "./existing-secret.ts";
import {
  faultInCluster,
  faultOfAlphabet,
  passwordEntries,
  passwordPolicyOf,
} from "./password-policy.ts";
import {
  checkTimes,
  type TimeFields,
  type TimesFields,
  timesEntries,
  toTimes,
} from "./rotation-times.ts";
import {
  boolean,
  type Field,
  type IsFine,
  list,
  object,
  oneOf,
  type Report,
  ruled,
  says,
  text,
} from "./schema/fields.ts";

/** The strategies for an application's secret and for the administrator's. */
export type SecretStrategy = Exclude<RotationStrategy, "issuer-login">;

/** A rotated secret with every default filled in. */
export interface ParsedSecret {
  readonly strategy: SecretStrategy;
  /** Empty for the administrator of a sandbox. */
  readonly usernames: readonly string[];
  /** The dynamic role whose privileges the users have. */
  readonly role?: string;
  /**
   * The NOLOGIN role whose privileges the users have. Undefined, like `role`, if Mayfly does not
   * create the users.
   */
  readonly ownerGroup?: string;
  readonly times: RotationTimes;
  /** Whether a deployment that creates or changes the schedule rotates the secret. */
  readonly rotateImmediately: boolean;
  readonly password: PasswordPolicy;
  readonly testQueries: readonly string[];
  /** ARN of an existing secret. Undefined: Mayfly creates one, except for the administrator. */
  readonly secretArn?: string;
  readonly kmsKeyArn?: string;
  readonly replicaRegions: readonly string[];
}

/** Names of PostgreSQL's roles and of Mayfly's roles begin like this. */
const isRoleName = (name: string): boolean =>
  name !== "" &&
  !name.includes("\0") &&
  new TextEncoder().encode(name).length <= 63 &&
  !/^(?:mf|pg)_/.test(name);

const roleName = (what: string): Field<string> =>
  text(isRoleName, `is not ${what}`, 'write 1 to 63 bytes, no "mf_" or "pg_" in front');

const COMPLETE =
  'write it with the six characters at its end, as in "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf"';

/**
 * The role whose privileges the users have. Exactly one of the two; optional for the one user of an
 * existing secret.
 */
const groupEntries = {
  /** A dynamic role of this database. Each user owns the objects that it creates. */
  role: v.optional(text(/./, "is no role", "name a dynamic role of the database")),
  /**
   * One of your NOLOGIN roles. Two users act as this role, so it owns the objects that they create.
   */
  ownerGroup: v.optional(roleName("a role of yours")),
};

/** The secret that an application reads. */
const storedEntries = {
  /**
   * Complete ARN of an existing secret, which is rotated in place. Not allowed in a sandbox, for a
   * secret that RDS manages (`rds!…`), or together with `kmsKeyArn` and `replicaRegions`.
   * @default - Mayfly creates a secret
   */
  secretArn: v.optional(
    v.pipe(
      text(COMPLETE_ARN, "is not the complete ARN of a secret", COMPLETE),
      v.check(
        (arn) => !isManagedByRds(arn),
        says(
          "is rotated by RDS, which made it",
          "remove this secret, or let RDS manage the password no longer",
        ),
      ),
    ),
  ),
  /**
   * ARN of the KMS key that encrypts the secret.
   * @default - the account's key for Secrets Manager
   */
  kmsKeyArn: v.optional(
    text(
      /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/,
      "is not the ARN of a key",
      'write it as in "arn:aws:kms:eu-west-1:111122223333:key/0123abcd-…", not an alias',
    ),
  ),
  /**
   * Regions to which the secret is replicated.
   * @default - none
   */
  replicaRegions: v.optional(
    list(
      'list Regions, e.g. ["eu-central-1"]',
      text(/^[a-z]{2}(?:-[a-z]+)+-\d$/, "is not a Region", 'write it as in "eu-central-1"'),
    ),
  ),
};

/** The fields of every rotation. */
const rotationEntries = <Schedule, Window>(times: TimeFields<Schedule, Window>) => ({
  ...timesEntries(times),
  /**
   * Rotate when a deployment creates or changes the schedule. `false` waits for the schedule's
   * time, for a secret that is in use.
   * @default true
   */
  rotateImmediately: v.optional(boolean(), true),
  ...passwordEntries,
  /**
   * Queries that a new login must be able to run before it becomes the current one.
   * @default - none: the new login must be able to log in
   */
  testQueries: v.optional(
    list(
      'list statements, e.g. ["select 1 from orders limit 1"]',
      text(
        (query) => query.trim() !== "" && !query.includes("\0"),
        "is no statement",
        "write one statement of SQL",
      ),
    ),
  ),
});

const TWO = says("is not a list of two users", "list the two users that alternate");

/** The two users of `alternating-users`. */
const pair = v.pipe(
  list('list two users, e.g. ["shop_a", "shop_b"]', roleName("a user")),
  v.check((names) => names.length === 2, TWO),
) as v.GenericSchema as Field<readonly [string, string], readonly string[]>;

/** The fields of a secret, by strategy. */
const strategies = <Schedule, Window>(times: TimeFields<Schedule, Window>) => ({
  /** One user, which changes its own password. The old password stops working at the rotation. */
  "single-user": {
    strategy: v.literal("single-user"),
    /**
     * The user; Mayfly creates it if it does not exist. 1 to 63 bytes, not starting with `mf_` or
     * `pg_`.
     */
    username: roleName("a user"),
    ...groupEntries,
    ...storedEntries,
    ...rotationEntries(times),
  },
  /** Two users, used alternately: the former password works until the next rotation. */
  "alternating-users": {
    strategy: v.literal("alternating-users"),
    /** The two users; Mayfly creates those that do not exist. */
    usernames: pair,
    ...groupEntries,
    ...storedEntries,
    ...rotationEntries(times),
  },
  /**
   * The administrator's own secret: RDS sets the password. For a sandbox, an RDS instance or a
   * cluster.
   */
  "master-user": {
    strategy: v.literal("master-user"),
    /**
     * The administrator's name in the secret.
     * @default - the sandbox's administrator; required for an existing server
     */
    username: v.optional(roleName("a user")),
    ...rotationEntries(times),
  },
});

/** The fields of a secret, whatever its strategy. */
export interface SecretFields extends TimesFields {
  readonly strategy: SecretStrategy;
  readonly username?: string | undefined;
  readonly usernames?: readonly string[] | undefined;
  readonly role?: string | undefined;
  readonly ownerGroup?: string | undefined;
  readonly secretArn?: string | undefined;
  readonly kmsKeyArn?: string | undefined;
  readonly replicaRegions?: readonly string[] | undefined;
  readonly rotateImmediately: boolean;
  readonly excludeCharacters?: string | undefined;
  readonly passwordLength: number;
  readonly testQueries?: readonly string[] | undefined;
}

/** What the checks know about the secret's database. */
export interface SecretContext {
  /** Whether Mayfly creates the users, which then need a role or ownerGroup. */
  readonly usersAreMade: boolean;
  /** The server is a cluster. */
  readonly cluster: boolean;
}

/** Fields that apply only to a secret that Mayfly creates. */
const OF_NEW = ["kmsKeyArn", "replicaRegions"] as const;

function checkGroup(secret: SecretFields, context: SecretContext, report: Report): void {
  const { strategy, role, ownerGroup, secretArn } = secret;
  const needed =
    strategy === "alternating-users" ||
    (strategy === "single-user" && context.usersAreMade && secretArn === undefined);
  if (role !== undefined && ownerGroup !== undefined)
    report(["role"], says("does not go with ownerGroup {ownerGroup}", "remove one"));
  if (needed && role === undefined && ownerGroup === undefined)
    report(
      [],
      "needs role or ownerGroup, one of the two; name a dynamic role of the database, or a NOLOGIN role of yours",
    );
}

/** RDS accepts only shorter passwords for the administrator of a cluster. */
export function checkPasswordInCluster(secret: SecretFields, report: Report): void {
  const fault = faultInCluster(secret);
  if (fault !== undefined) report(["passwordLength"], fault);
}

const NO_STRATEGY = "is no strategy";

/** A Secrets Manager secret whose password is rotated. */
export function secretSchema<Schedule, Window>(
  times: TimeFields<Schedule, Window>,
  context: SecretContext,
) {
  const rules = (secret: SecretFields, report: Report, isFine: IsFine): void => {
    if (isFine("schedule") && isFine("window")) checkTimes(secret, report);
    if (isFine("excludeCharacters") && isFine("passwordLength")) {
      const fault = faultOfAlphabet(secret);
      if (fault !== undefined) report(["excludeCharacters"], fault);
      if (context.cluster) checkPasswordInCluster(secret, report);
    }
    checkGroup(secret, context, report);
    if (secret.secretArn === undefined) return;
    for (const key of OF_NEW.filter((name) => secret[name] !== undefined))
      report(
        [key],
        says(
          "is only for a secret that Mayfly creates, but secretArn names an existing one",
          "remove it; the existing secret keeps its own",
        ),
      );
  };
  const entries = strategies(times);
  const remedy = "describe the secret, with its strategy";
  const names = Object.keys(entries).join(", ");
  const noStrategy = v.literal("", says(NO_STRATEGY, `write one of ${names}`));
  const kinds = {
    "single-user": ruled(object(entries["single-user"], remedy), rules),
    "alternating-users": ruled(object(entries["alternating-users"], remedy), rules),
    "master-user": ruled(object(entries["master-user"], remedy), rules),
  };
  return oneOf(
    kinds,
    ({ strategy }) =>
      typeof strategy === "string" && Object.hasOwn(kinds, strategy)
        ? (strategy as SecretStrategy)
        : undefined,
    v.looseObject({ strategy: noStrategy }, noStrategy.message),
    says("is not an object", remedy),
  );
}

/** A secret whose fields were read. */
export const toSecret = (secret: SecretFields): ParsedSecret => {
  const { strategy, username, usernames, role, ownerGroup, secretArn, kmsKeyArn } = secret;
  return {
    strategy,
    usernames: usernames ?? (username === undefined ? [] : [username]),
    ...(role !== undefined && { role }),
    ...(ownerGroup !== undefined && { ownerGroup }),
    times: toTimes(secret),
    rotateImmediately: secret.rotateImmediately,
    password: passwordPolicyOf(secret),
    testQueries: secret.testQueries ?? [],
    ...(secretArn !== undefined && { secretArn }),
    ...(kmsKeyArn !== undefined && { kmsKeyArn }),
    replicaRegions: secret.replicaRegions ?? [],
  };
};
