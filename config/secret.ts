import { SECRET_NAME } from "../core/names.ts";
import {
  DEFAULT_SCHEDULE,
  isRefused,
  parseSchedule,
  parseWindow,
  type RotationTimes,
} from "../core/rotation/schedule.ts";
import { readExisting } from "./existing-secret.ts";
import type { ParsedSecret } from "./parsed.ts";
import { readPasswordPolicy } from "./password-policy.ts";
import {
  complain,
  isObjectOf,
  type Place,
  readList,
  readNamed,
  readText,
  within,
} from "./place.ts";

const TIMES = ["schedule", "window"];
const ROTATION = [...TIMES, "excludeCharacters", "passwordLength", "testQueries"];
const GROUPS = ["role", "ownerGroup"];
const SECRET = [...GROUPS, "secretArn", "kmsKeyArn", "replicaRegions"];

const KEYS: Readonly<Record<ParsedSecret["strategy"], readonly string[]>> = {
  "single-user": ["strategy", "username", ...SECRET, ...ROTATION],
  "alternating-users": ["strategy", "usernames", ...SECRET, ...ROTATION],
  "master-user": ["strategy", "username", ...ROTATION],
};
const STRATEGIES = Object.keys(KEYS) as readonly ParsedSecret["strategy"][];

/** What is known of the database that a secret is of. */
export interface SecretContext {
  /** Whether the users are made, and so must have somebody's privileges. */
  readonly usersAreMade: boolean;
  /** The server is a cluster. */
  readonly cluster: boolean;
}

/** PostgreSQL's and ours begin so. */
const isRoleName = (text: string): boolean =>
  text !== "" &&
  !text.includes("\0") &&
  new TextEncoder().encode(text).length <= 63 &&
  !/^(?:mf|pg)_/.test(text);

const readRoleName = (place: Place, what: string): string | undefined =>
  readText(place, isRoleName, `is not ${what}`, 'write 1 to 63 bytes, no "mf_" or "pg_" in front');

/** Read `schedule` and `window`. */
export function readTimes(place: Place): RotationTimes {
  const [scheduleAt, windowAt] = [within(place, "schedule"), within(place, "window")];
  const { value = DEFAULT_SCHEDULE } = scheduleAt;
  const schedule = parseSchedule(typeof value === "string" ? value : "");
  if (isRefused(schedule)) complain(scheduleAt, schedule.fault, schedule.remedy);
  const kept = isRefused(schedule) ? parseSchedule(DEFAULT_SCHEDULE) : schedule;
  if (isRefused(kept)) throw new Error(`the default schedule ${kept.fault}`);
  const { expression, periodSeconds } = kept;
  if (windowAt.value === undefined) return { expression, periodSeconds };
  const window = parseWindow(typeof windowAt.value === "string" ? windowAt.value : "", kept);
  if (typeof window === "string") return { expression, periodSeconds, window };
  complain(windowAt, window.fault, window.remedy);
  return { expression, periodSeconds };
}

/** Read when the issuer's logins are rotated. */
export function readLoginRotation(place: Place): RotationTimes {
  const given = place.value === undefined ? { ...place, value: {} } : place;
  return readTimes(
    isObjectOf(given, TIMES, 'write { schedule: "30d" }') ? given : { ...place, value: {} },
  );
}

function readUsernames(place: Place, strategy: ParsedSecret["strategy"]): readonly string[] {
  if (strategy === "alternating-users") {
    const at = within(place, "usernames");
    const names = readList(at, 'list two users, e.g. ["shop_a", "shop_b"]', (element) =>
      readRoleName(element, "a user"),
    );
    if (names.length > 0 && (at.value as unknown[]).length !== 2)
      complain(at, "is not two users", "list two, who take turns");
    return names;
  }
  const at = within(place, "username");
  if (strategy === "master-user" && at.value === undefined) return [];
  return [readRoleName(at, "a user") ?? ""];
}

function readGroup(place: Place, needed: boolean): Pick<ParsedSecret, "role" | "ownerGroup"> {
  const [role, ownerGroup] = [within(place, "role"), within(place, "ownerGroup")];
  const given = [role, ownerGroup].filter(({ value }) => value !== undefined);
  if (given.length > 1)
    complain(role, `does not go with ownerGroup ${JSON.stringify(ownerGroup.value)}`, "remove one");
  if (needed && given.length === 0)
    place.problems.push(
      `${place.path}: needs role or ownerGroup, one of the two; name a dynamic role of the database, or a NOLOGIN role of yours`,
    );
  const [roleName, groupName] = [
    role.value === undefined
      ? undefined
      : readText(role, (text) => text !== "", "is no role", "name a dynamic role of the database"),
    ownerGroup.value === undefined ? undefined : readRoleName(ownerGroup, "a role of yours"),
  ];
  return {
    ...(roleName !== undefined && { role: roleName }),
    ...(groupName !== undefined && { ownerGroup: groupName }),
  };
}

/** Whose privileges must be said of users that are made, and of two who take turns as their group. */
const needsGroup = (
  place: Place,
  strategy: ParsedSecret["strategy"],
  { usersAreMade }: Pick<SecretContext, "usersAreMade">,
): boolean =>
  strategy === "alternating-users" ||
  (usersAreMade && within(place, "secretArn").value === undefined);

/** Read a list that may be left out. */
const readOptionalList = (
  place: Place,
  remedy: string,
  read: (element: Place) => string | undefined,
): readonly string[] => (place.value === undefined ? [] : readList(place, remedy, read));

function readMade(place: Place): Pick<ParsedSecret, "kmsKeyArn" | "replicaRegions"> {
  const key = within(place, "kmsKeyArn");
  const kmsKeyArn =
    key.value === undefined
      ? undefined
      : readText(
          key,
          (text) => /^arn:[\w-]+:kms:[\w-]+:\d{12}:key\/[\w-]+$/.test(text),
          "is not the ARN of a key",
          'write it as in "arn:aws:kms:eu-west-1:111122223333:key/0123abcd-…", not an alias',
        );
  const replicaRegions = readOptionalList(
    within(place, "replicaRegions"),
    'list Regions, e.g. ["eu-central-1"]',
    (element) =>
      readText(
        element,
        (text) => /^[a-z]{2}(?:-[a-z]+)+-\d$/.test(text),
        "is not a Region",
        'write it as in "eu-central-1"',
      ),
  );
  return { ...(kmsKeyArn !== undefined && { kmsKeyArn }), replicaRegions };
}

/** Read one rotated secret. */
export function readSecret(place: Place, context: SecretContext): ParsedSecret | undefined {
  const strategyAt = within(place, "strategy");
  const strategy = STRATEGIES.find((each) => each === strategyAt.value);
  const known = strategy === undefined ? [...new Set(Object.values(KEYS).flat())] : KEYS[strategy];
  if (!isObjectOf(place, known, "describe the secret, with its strategy")) return undefined;
  if (strategy === undefined)
    return complain(strategyAt, "is no strategy", `write one of ${STRATEGIES.join(", ")}`);
  const master = strategy === "master-user";
  return {
    strategy,
    usernames: readUsernames(place, strategy),
    ...(!master && readGroup(place, needsGroup(place, strategy, context))),
    times: readTimes(place),
    password: readPasswordPolicy(place, { master, cluster: context.cluster }),
    testQueries: readOptionalList(
      within(place, "testQueries"),
      'list statements, e.g. ["select 1 from orders limit 1"]',
      (element) =>
        readText(
          element,
          (text) => text.trim() !== "" && !text.includes("\0"),
          "is no statement",
          "write one statement of SQL",
        ),
    ),
    ...(master ? { replicaRegions: [] } : { ...readExisting(place), ...readMade(place) }),
  };
}

/** Read the rotated secrets of one database. */
export const readSecrets = (
  place: Place,
  context: SecretContext,
): Readonly<Record<string, ParsedSecret>> =>
  place.value === undefined
    ? {}
    : readNamed(
        place,
        {
          pattern: SECRET_NAME,
          rule: '1 to 16 of a-z, 0-9 and single hyphens, a letter first, and not "issuer" or "janitor"',
          remedy: "give an object of secrets, or leave it out",
          mayBeEmpty: true,
        },
        (entry) => readSecret(entry, context),
      );
