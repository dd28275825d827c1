import { ConfigError } from "../errors.ts";
import type { RotatedUser } from "../rotation/settings.ts";
import type { PlannedRole, ProvisionPlan } from "./plan.ts";
import { PRIVILEGE_NAMES, type Privileges } from "./privilege-kinds.ts";

/** The paths of the wrong fields, relative to the value. */
type Check = (value: unknown) => readonly string[];

/** One check for each field of a type; the compiler reports a missing or extra check. */
type Fields<T> = { readonly [Key in keyof Required<T>]: Check };

const HERE = [""];
const holds =
  (test: (value: unknown) => boolean): Check =>
  (value) =>
    test(value) ? [] : HERE;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = holds((value) => typeof value === "string");
const isNumber = holds(Number.isInteger);
const isFlag = holds((value) => typeof value === "boolean");
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? [] : check(value);

const under = (key: string | number, paths: readonly string[]): readonly string[] =>
  paths.map((path) => `.${key}${path}`);

const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) ? value.flatMap((each, index) => under(index, check(each))) : HERE;

const recordOf =
  (check: Check): Check =>
  (value) =>
    isObject(value)
      ? Object.entries(value).flatMap(([key, each]) => under(key, check(each)))
      : HERE;

const fields =
  <T>(checks: Fields<T>): Check =>
  (value) => {
    if (!isObject(value)) return HERE;
    const unknown = Object.keys(value).filter((key) => !Object.hasOwn(checks, key));
    const known = Object.entries<Check>(checks).flatMap(([key, check]) =>
      under(key, check(value[key])),
    );
    return [...known, ...unknown.map((key) => `.${key}`)];
  };

const targets = optional(listOf(isText));

const privileges = fields<Privileges>({
  ...(Object.fromEntries(PRIVILEGE_NAMES.map((name) => [name, targets])) as Fields<
    Omit<Privileges, "except">
  >),
  except: targets,
});

const role = fields<PlannedRole>({
  groupRole: isText,
  privileges,
  allowCreate: optional(isFlag),
  ttlSeconds: isNumber,
  maxTtlSeconds: isNumber,
  maxLeases: isNumber,
  maxLeasesPerConsumer: isNumber,
  connectionLimit: isNumber,
});

const plan = fields<ProvisionPlan>({
  database: isText,
  tag: isText,
  shards: isNumber,
  tls: holds((value) => value === "verify-full" || value === "plaintext"),
  ca: optional(isText),
  owner: isText,
  databases: listOf(isText),
  maintenanceDatabase: isText,
  loginConnectionLimit: isNumber,
  roles: recordOf(role),
  rotatedUsers: optional(
    recordOf(
      fields<RotatedUser>({
        strategy: holds((value) => value === "single-user" || value === "alternating-users"),
        usernames: listOf(isText),
        group: isText,
      }),
    ),
  ),
  watch: optional(listOf(isText)),
  aliasUnsealed: optional(isFlag),
  grants: listOf(fields<ProvisionPlan["grants"][number]>({ consumer: isText, role: isText })),
});

function jsonIn(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}

/**
 * Parse the plan from the custom resource or from the function's code. The configuration was
 * checked at synthesis. This check only finds a plan of another version than the function, which an
 * incomplete deployment can leave.
 *
 * @throws ConfigError with the source of the plan and the wrong fields.
 */
export function parseProvisionPlan(text: unknown, where = "the property Plan"): ProvisionPlan {
  const value = jsonIn(text);
  const paths = plan(value);
  if (paths.length === 0) return value as ProvisionPlan;
  const what = isObject(value)
    ? paths.map((path) => path.replace(/^\./, "")).join(", ")
    : "it is not a JSON object";
  throw new ConfigError(
    `${where} does not fit this function (${what}): they are of two versions; deploy the whole stack again`,
  );
}
