import { ConfigError } from "../errors.ts";
import { CONSUMER_NAME, DATABASE_NAME, MAX_SHARDS, ROLE_NAME, SECRET_NAME, TAG } from "../names.ts";
import type { PlannedRole, ProvisionPlan } from "./plan.ts";
import { PRIVILEGE_KEYS, TARGET } from "./privileges.ts";

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isName = (value: unknown): value is string =>
  typeof value === "string" &&
  /^[^\0]+$/.test(value) &&
  new TextEncoder().encode(value).length <= 63;
const isNamed = (pattern: RegExp, value: unknown): boolean =>
  typeof value === "string" && pattern.test(value);
const isGrant = (value: unknown): boolean =>
  isObject(value) && isNamed(CONSUMER_NAME, value.consumer) && isNamed(ROLE_NAME, value.role);
const isCount = (value: unknown, most: number): boolean =>
  Number.isInteger(value) && Number(value) >= 1 && Number(value) <= most;

/**
 * Read the plan that came with the custom resource, or with the function's code. It was made by our
 * own construct, so this guards against a half-deployed or hand-written one.
 *
 * @throws ConfigError with every problem at once, naming where the plan was.
 */
export function parseProvisionPlan(text: unknown, where = "the property Plan"): ProvisionPlan {
  const plan = jsonObject(text);
  const problems = plan === undefined ? ["it is not a JSON object"] : problemsOf(plan);
  if (problems.length > 0)
    throw new ConfigError(
      `${where} cannot be used; deploy with the construct that belongs to this function:\n${problems.map((each) => `- ${each}`).join("\n")}`,
    );
  return plan as unknown as ProvisionPlan;
}

function jsonObject(text: unknown): Json | undefined {
  try {
    const value: unknown = typeof text === "string" ? JSON.parse(text) : undefined;
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function problemsOf(plan: Json): string[] {
  const problems: string[] = [];
  const check = (fine: boolean, key: string, rule: string): void => {
    if (!fine) problems.push(`${key} must be ${rule}, got ${JSON.stringify(plan[key])}`);
  };
  check(
    isNamed(DATABASE_NAME, plan.database),
    "database",
    "the database's name in the configuration",
  );
  check(typeof plan.tag === "string" && TAG.test(plan.tag), "tag", "4 base32 characters");
  check(isCount(plan.shards, MAX_SHARDS), "shards", `a whole number from 1 to ${MAX_SHARDS}`);
  check(plan.tls === "verify-full" || plan.tls === "plaintext", "tls", "verify-full or plaintext");
  check(plan.ca === undefined || typeof plan.ca === "string", "ca", "PEM text");
  check(isName(plan.owner), "owner", "a role's name");
  check(
    isCount(plan.loginConnectionLimit, 10_000),
    "loginConnectionLimit",
    "a whole number above 0",
  );
  const databases = Array.isArray(plan.databases) ? plan.databases : [];
  check(databases.length > 0 && databases.every(isName), "databases", "a list of database names");
  check(isName(plan.maintenanceDatabase), "maintenanceDatabase", "a database's name");
  const roles = isObject(plan.roles) ? plan.roles : {};
  check(Object.keys(roles).length > 0, "roles", "an object with a role or more");
  const grants = Array.isArray(plan.grants) ? plan.grants : [undefined];
  check(grants.every(isGrant), "grants", "a list of consumer and role");
  const { rotatedUsers = {} } = plan;
  check(isObject(rotatedUsers), "rotatedUsers", "an object");
  return [
    ...problems,
    ...Object.entries(roles).flatMap(([name, role]) => roleProblems(name, role)),
    ...userProblems(isObject(rotatedUsers) ? rotatedUsers : {}, Object.values(roles)),
  ];
}

/** A secret's name, its usernames, and the group: one of the plan's, or somebody else's. */
function userProblems(secrets: Json, roles: readonly unknown[]): string[] {
  const problems: string[] = [];
  const groups = roles.map((role) => (isObject(role) ? role.groupRole : undefined));
  const taken = new Set<unknown>(groups);
  for (const [name, secret] of Object.entries(secrets)) {
    const { strategy, usernames, group } = isObject(secret) ? secret : {};
    const where = `rotatedUsers.${name}`;
    const users = Array.isArray(usernames) ? usernames : [];
    const count = strategy === "alternating-users" ? 2 : 1;
    if (!SECRET_NAME.test(name)) problems.push(`${where} is no name of a rotated secret`);
    if (strategy !== "single-user" && strategy !== "alternating-users")
      problems.push(`${where}.strategy must be single-user or alternating-users`);
    if (users.length !== count || !users.every(isUserName))
      problems.push(`${where}.usernames must be ${count}, none of them reserved`);
    if (!isName(group) || (group.startsWith("mf_") && !groups.includes(group)))
      problems.push(
        `${where}.group must be a dynamic role's group, or a role that is not Mayfly's`,
      );
    for (const each of users)
      if (taken.has(each) || each === group)
        problems.push(`${where}.usernames has ${JSON.stringify(each)}, which is taken`);
      else taken.add(each);
  }
  return problems;
}

const isUserName = (value: unknown): boolean => isName(value) && !/^(?:mf|pg)_/.test(value);

const NUMBERS = [
  "ttlSeconds",
  "maxTtlSeconds",
  "maxLeases",
  "maxLeasesPerConsumer",
  "connectionLimit",
] as const satisfies readonly (keyof PlannedRole)[];
/** What fits the database's own whole numbers. */
const MOST = 2 ** 31 - 1;

function roleProblems(name: string, role: unknown): string[] {
  const given: Json = isObject(role) ? role : {};
  const { groupRole, privileges } = given;
  const problems: string[] = [];
  if (!ROLE_NAME.test(name)) problems.push(`roles.${name} is no name of a dynamic role`);
  if (!isName(groupRole)) problems.push(`roles.${name}.groupRole must be a role's name`);
  if (given.allowCreate !== undefined && typeof given.allowCreate !== "boolean")
    problems.push(`roles.${name}.allowCreate must be true or false`);
  for (const key of NUMBERS)
    if (!isCount(given[key], MOST))
      problems.push(`roles.${name}.${key} must be a whole number above 0`);
  for (const [key, targets] of Object.entries(isObject(privileges) ? privileges : {})) {
    if (key !== "except" && !PRIVILEGE_KEYS.some((known) => known === key))
      problems.push(`roles.${name}.privileges.${key} is not known`);
    else if (!Array.isArray(targets) || !targets.every(isTarget))
      problems.push(
        `roles.${name}.privileges.${key} must be a list of schema.* or schema.name, got ${JSON.stringify(targets)}`,
      );
  }
  return problems;
}

function isTarget(target: unknown): boolean {
  const [, schema, name] = (typeof target === "string" && TARGET.exec(target)) || [];
  return isName(schema) && isName(name);
}
