import * as v from "valibot";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import type { PasswordPolicy, RotationStrategy } from "../core/rotation/settings.ts";
import { COMPLETE_ARN, isManagedByRds } from "./existing-secret.ts";
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
} from "./fields.ts";
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

/** Whoever rotates a secret of an application's, and the administrator's. */
export type SecretStrategy = Exclude<RotationStrategy, "issuer-login">;

/** A rotated secret with every default filled in. */
export interface ParsedSecret {
  readonly strategy: SecretStrategy;
  /** None for the administrator of a sandbox. */
  readonly usernames: readonly string[];
  /** The dynamic role whose privileges the users have. */
  readonly role?: string;
  /** Or the NOLOGIN role. Neither when Mayfly does not make the users. */
  readonly ownerGroup?: string;
  readonly times: RotationTimes;
  /** Whether a deployment that makes or changes the schedule rotates. */
  readonly rotateImmediately: boolean;
  readonly password: PasswordPolicy;
  readonly testQueries: readonly string[];
  /** The secret that exists; without it one is made, but for the administrator. */
  readonly secretArn?: string;
  readonly kmsKeyArn?: string;
  readonly replicaRegions: readonly string[];
}

/** PostgreSQL's and ours begin so. */
const isRoleName = (name: string): boolean =>
  name !== "" &&
  !name.includes("\0") &&
  new TextEncoder().encode(name).length <= 63 &&
  !/^(?:mf|pg)_/.test(name);

const roleName = (what: string): Field<string> =>
  text(isRoleName, `is not ${what}`, 'write 1 to 63 bytes, no "mf_" or "pg_" in front');

const COMPLETE =
  'write it with the six characters at its end, as in "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf"';

/** Whose privileges the users have; one of the two, but for one user of an existing secret. */
const groupEntries = {
  /** A dynamic role of this database. What a user makes is its own. */
  role: v.optional(text(/./, "is no role", "name a dynamic role of the database")),
  /** A NOLOGIN role of yours. What two users make is its own: they act as it. */
  ownerGroup: v.optional(roleName("a role of yours")),
};

/** Which secret an application reads. */
const storedEntries = {
  /**
   * Complete ARN of a secret that exists, to rotate where it is. Not in a sandbox, not one that RDS
   * manages (`rds!…`), and not together with `kmsKeyArn` and `replicaRegions`.
   * @default - one is made
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
   * ARN of the KMS key that encrypts it.
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
   * Regions to replicate it to.
   * @default - none
   */
  replicaRegions: v.optional(
    list(
      'list Regions, e.g. ["eu-central-1"]',
      text(/^[a-z]{2}(?:-[a-z]+)+-\d$/, "is not a Region", 'write it as in "eu-central-1"'),
    ),
  ),
};

/** What every rotation has. */
const rotationEntries = <Schedule, Window>(times: TimeFields<Schedule, Window>) => ({
  ...timesEntries(times),
  /**
   * Rotate when a deployment makes the schedule, and whenever one changes it. `false` leaves a secret
   * that is in use alone until the schedule's time.
   * @default true
   */
  rotateImmediately: v.optional(boolean(), true),
  ...passwordEntries,
  /**
   * What a new login must be able to run before it becomes the current one.
   * @default - that it can log in
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

const TWO = says("is not two users", "list two, who take turns");

/** The two users of `alternating-users`. */
const pair = v.pipe(
  list('list two users, e.g. ["shop_a", "shop_b"]', roleName("a user")),
  v.check((names) => names.length === 2, TWO),
) as v.GenericSchema as Field<readonly [string, string], readonly string[]>;

/** By strategy, what a secret may have. */
const strategies = <Schedule, Window>(times: TimeFields<Schedule, Window>) => ({
  /** One user, who changes its own password. The old one ends with the rotation. */
  "single-user": {
    strategy: v.literal("single-user"),
    /** The user, which is made unless it exists. 1 to 63 bytes, no `mf_` or `pg_` in front. */
    username: roleName("a user"),
    ...groupEntries,
    ...storedEntries,
    ...rotationEntries(times),
  },
  /** Two users who take turns: the former password works until the next rotation. */
  "alternating-users": {
    strategy: v.literal("alternating-users"),
    /** The two users, which are made unless they exist. */
    usernames: pair,
    ...groupEntries,
    ...storedEntries,
    ...rotationEntries(times),
  },
  /** The administrator's own secret: RDS sets the password. For a sandbox, an instance or a cluster. */
  "master-user": {
    strategy: v.literal("master-user"),
    /**
     * The administrator who is in the secret.
     * @default - a sandbox's; a server that exists needs it
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

/** What is known of the database that a secret is of. */
export interface SecretContext {
  /** Whether the users are made, and so must have somebody's privileges. */
  readonly usersAreMade: boolean;
  /** The server is a cluster. */
  readonly cluster: boolean;
}

/** What is said when a secret is made, and of no other. */
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

/** RDS takes shorter passwords for the administrator of a cluster. */
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
          "is of a secret that is made, and secretArn names one that exists",
          "remove it: that secret keeps its own",
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
