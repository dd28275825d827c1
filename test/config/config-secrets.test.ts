import { expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { modelOf, toDeployment, toPlan } from "../../config/plan.ts";
import shipped from "../../mayfly.config.ts";
import {
  consumer,
  host,
  pathsOf,
  problemAt,
  problemsOf,
  sandbox,
  withDatabase,
} from "./sample-config.ts";

const single = { strategy: "single-user", username: "reports", role: "ro" };
const pair = { strategy: "alternating-users", usernames: ["shop_a", "shop_b"], ownerGroup: "shop" };
const master = { strategy: "master-user", username: "postgres" };
const ADMIN_ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/admin-AbCdEf";
const instance = { ...host, adminSecret: ADMIN_ARN, instance: "orders-db" };

const withSecrets = (secrets: unknown, database: object = sandbox) =>
  withDatabase({ ...database, secrets });
const withSecret = (change: object) => withSecrets({ one: { ...single, ...change } });
const withPair = (change: object) => withSecrets({ one: { ...pair, ...change } });

const GROUP =
  "databases.orders.secrets.one: needs role or ownerGroup, one of the two; name a dynamic role of the database, or a NOLOGIN role of yours";
const USER = 'is not a user; write 1 to 63 bytes, no "mf_" or "pg_" in front';

test.each<[string, unknown, string]>([
  [
    "no object",
    withSecrets([]),
    "secrets: [] is not an object; give an object of secrets, or leave it out",
  ],
  [
    "the issuer's name",
    withSecrets({ issuer: single }),
    'secrets.issuer: "issuer" is not a name; write 1 to 16 of a-z, 0-9 and single hyphens, a letter first, and not "issuer" or "janitor"',
  ],
  [
    "no strategy",
    withSecret({ strategy: undefined }),
    "secrets.one.strategy: missing; write one of single-user, alternating-users, master-user",
  ],
  [
    "a strategy of ours",
    withSecret({ strategy: "issuer-login" }),
    'secrets.one.strategy: "issuer-login" is no strategy; write one of single-user, alternating-users, master-user',
  ],
  ["a user of ours", withSecret({ username: "mf_x" }), `secrets.one.username: "mf_x" ${USER}`],
  [
    "a user of PostgreSQL's",
    withSecret({ username: "pg_x" }),
    `secrets.one.username: "pg_x" ${USER}`,
  ],
  [
    "a user of 64 bytes",
    withSecret({ username: "ü".repeat(32) }),
    `secrets.one.username: "${"ü".repeat(32)}" ${USER}`,
  ],
  [
    "one user of two",
    withPair({ usernames: ["a"] }),
    'secrets.one.usernames: ["a"] is not a list of two users; list the two users that alternate',
  ],
  [
    "the owner as a user",
    withSecret({ username: "app_owner" }),
    'secrets.one: "app_owner" owns the tables and cannot be the user of a secret; choose another user',
  ],
  [
    "one user in two secrets",
    withSecrets({ one: single, two: { ...pair, usernames: ["reports", "b"] } }),
    'secrets.two: "reports" is a role of the secret "one" too; write another user',
  ],
  [
    "a user that lends its privileges in another secret",
    withSecrets({ one: pair, two: { ...single, username: "shop" } }),
    'secrets.two: "shop" is a role of the secret "one" too; write another user',
  ],
  [
    "a user of another secret that is to lend its privileges",
    withSecrets({ one: single, two: { ...pair, ownerGroup: "reports" } }),
    'secrets.two: "reports" is a user of the secret "one", and cannot be an ownerGroup; choose another ownerGroup',
  ],
  [
    "a role that is not there",
    withSecret({ role: "rw" }),
    'secrets.one.role: "rw" is not a role of this database; add the role, or name one of ro, or give ownerGroup',
  ],
  [
    "a schedule",
    withSecret({ schedule: "1h" }),
    'secrets.one.schedule: "1h" is more often than every four hours; write at least "4h"; leases are for what must end sooner',
  ],
  [
    "a number for a schedule",
    withSecret({ schedule: 30 }),
    'secrets.one.schedule: 30 is no schedule; write a length such as "30d" or "12h", or "cron(0 4 1 * ? *)"',
  ],
  [
    "a window",
    withSecret({ schedule: "4h", window: "5h" }),
    'secrets.one.window: "5h" must end on the day it begins, and before the next rotation of rate(4 hours); write at most "4h"',
  ],
  [
    "a poor alphabet",
    withSecret({
      excludeCharacters: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~abcdefghijklmnopqrstuvwxyz0123456789",
      passwordLength: 20,
    }),
    String.raw`secrets.one.excludeCharacters: "!\"#$%&'()*+,-./:;<=>?@[\\]^_${"`"}{|}~abcdefghijklmnopqrstuvwxyz0123456789" leaves 26 characters; a password of 20 of them has fewer than 128 random bits; exclude fewer, or raise passwordLength`,
  ],
  [
    "a letter that is not ASCII",
    withSecret({ excludeCharacters: "ß" }),
    'secrets.one.excludeCharacters: "ß" is not printable ASCII; write the characters one after the other; passwords hold no other',
  ],
  [
    "an empty query",
    withSecret({ testQueries: [" "] }),
    'secrets.one.testQueries[0]: " " is no statement; write one statement of SQL',
  ],
  [
    "an alias of a key",
    withSecret({ kmsKeyArn: "arn:aws:kms:eu-west-1:111122223333:alias/x" }),
    'secrets.one.kmsKeyArn: "arn:aws:kms:eu-west-1:111122223333:alias/x" is not the ARN of a key; write it as in "arn:aws:kms:eu-west-1:111122223333:key/0123abcd-…", not an alias',
  ],
  [
    "a zone",
    withSecret({ replicaRegions: ["eu-central-1a"] }),
    'secrets.one.replicaRegions[0]: "eu-central-1a" is not a Region; write it as in "eu-central-1"',
  ],
  [
    "a sandbox's administrator",
    withSecrets({ admin: master }),
    'secrets.admin.username: "postgres" is not allowed in a sandbox, which has its own administrator; remove it',
  ],
  [
    "a user that is its own group",
    withPair({ usernames: ["shop", "b"] }),
    'secrets.one: "shop" is the ownerGroup and cannot be the user of a secret; choose another user',
  ],
  [
    "two roles to have privileges of",
    withSecret({ ownerGroup: "x" }),
    'secrets.one.role: "ro" does not go with ownerGroup "x"; remove one',
  ],
  [
    "PostgreSQL's own group",
    withPair({ ownerGroup: "pg_read_all_data" }),
    'secrets.one.ownerGroup: "pg_read_all_data" is not a role of yours; write 1 to 63 bytes, no "mf_" or "pg_" in front',
  ],
  [
    "two administrators",
    withSecrets({ a: master, b: master }, instance),
    'secrets.b: the administrator is rotated by "a" already; remove one',
  ],
  [
    "an administrator that RDS does not know",
    withSecrets({ admin: master }, { ...instance, instance: undefined }),
    'secrets.admin.strategy: "master-user" needs RDS, which sets the password; add the instance or the cluster that host is, or remove this secret',
  ],
  [
    "an administrator without a name",
    withSecrets({ admin: { ...master, username: undefined } }, instance),
    "secrets.admin.username: missing; write the administrator's name, as it is in the secret",
  ],
  [
    "an administrator's secret that RDS rotates",
    withSecrets({ admin: master }, { ...instance, adminSecret: "rds!db-0123" }),
    'adminSecret: "rds!db-0123" is rotated by RDS, which made it; remove the secret "admin", or let RDS manage the password no longer',
  ],
  [
    "an administrator's secret that is known by name",
    withSecrets({ admin: master }, { ...instance, adminSecret: "db/admin" }),
    'adminSecret: "db/admin" is a name, and a rotation needs an ARN; write its complete ARN',
  ],
  [
    "words for the issuer's",
    withDatabase({ ...sandbox, loginRotation: "30d" }),
    'loginRotation: "30d" is not an object; write { schedule: "30d" }',
  ],
  [
    "the issuer's schedule",
    withDatabase({ ...sandbox, loginRotation: { schedule: "1d", window: "1d" } }),
    'loginRotation.window: "1d" is not a window; write whole hours, "1h" to "24h"',
  ],
])("refuses %s, naming place, value and remedy", (_what, config, problem) => {
  expect(problemsOf(config)).toEqual([`databases.orders.${problem}`]);
});

test.each<[string, unknown, string, unknown]>([
  ["no user", withSecret({ username: undefined }), "secrets.one.username", undefined],
  ["one user twice", withPair({ usernames: ["a", "a"] }), "secrets.one.usernames[1]", "a"],
  ["an inherited role", withSecret({ role: "constructor" }), "secrets.one.role", "constructor"],
  ["a short password", withSecret({ passwordLength: 19 }), "secrets.one.passwordLength", 19],
  [
    "a long password of a cluster's administrator",
    withSecrets(
      { admin: { ...master, passwordLength: 42 } },
      { ...instance, instance: undefined, cluster: "c" },
    ),
    "secrets.admin.passwordLength",
    42,
  ],
])("refuses %s, naming place and value", (_what, config, path, value) => {
  expect(problemsOf(config)).toEqual([problemAt(`databases.orders.${path}`, value)]);
});

test.each<[string, unknown, string]>([
  ["a key of another strategy", withSecret({ usernames: ["a", "b"] }), "secrets.one.usernames"],
  [
    "a key for the administrator's secret",
    withSecrets({ admin: { ...master, kmsKeyArn: "x" } }, instance),
    "secrets.admin.kmsKeyArn",
  ],
  [
    "an unknown key of loginRotation",
    withDatabase({ ...sandbox, loginRotation: { username: "x" } }),
    "loginRotation.username",
  ],
])("refuses %s, naming the place", (_what, config, path) => {
  expect(pathsOf(config)).toEqual([`databases.orders.${path}`]);
});

test.each([
  ["neither", withSecret({ role: undefined })],
  ["neither, for two users", withPair({ ownerGroup: undefined })],
])("a user has the privileges of one role: refuses %s", (_what, config) => {
  expect(problemsOf(config)).toEqual([GROUP]);
});

const readBy = (change: object) => ({
  databases: { orders: { ...sandbox, secrets: { one: single } } },
  consumers: { app: { ...consumer, ...change } },
});

test.each<[string, object, string]>([
  [
    "no list",
    { secrets: [] },
    'secrets: [] is not a list of at least one; list secrets, e.g. ["orders/reports"]',
  ],
  [
    "one word",
    { secrets: ["one"] },
    'secrets[0]: "one" is not a rotated secret; write "database/secret", e.g. "orders/reports"',
  ],
  [
    "no database",
    { secrets: ["users/one"] },
    'secrets[0]: "users/one" names no database of this configuration; add the database or correct it',
  ],
  [
    "no secret",
    { secrets: ["orders/two"] },
    'secrets[0]: "orders/two" names no secret of that database; add the secret, or name one of one',
  ],
  ["nothing at all", { roles: undefined }, 'roles: missing; list grants, e.g. ["orders/readonly"]'],
])("refuses a consumer of %s", (_what, change, problem) => {
  expect(problemsOf(readBy(change))).toEqual([`consumers.app.${problem}`]);
});

test.each<[string, object, string, unknown]>([
  ["a role instead of a secret", { secrets: ["orders/ro"] }, "secrets[0]", "orders/ro"],
  [
    "secrets alone, for a function in a sandbox",
    { newRole: undefined, sandbox: true, roles: undefined, secrets: ["orders/one"] },
    "roles",
    undefined,
  ],
])("refuses a consumer of %s, naming place and value", (_what, change, path, value) => {
  expect(problemsOf(readBy(change))).toEqual([problemAt(`consumers.app.${path}`, value)]);
});

test("a consumer may read a secret and ask for nothing", () => {
  const { consumers } = parseConfig(readBy({ roles: undefined, secrets: ["orders/one"] }));
  expect(consumers.app).toMatchObject({
    grants: [],
    secrets: [{ database: "orders", secret: "one" }],
  });
});

test("two secrets with one output name are refused, also across databases", () => {
  const secrets = { "b-c": single };
  const other = { ...sandbox, secrets: { c: single } };
  const databases = { a: { ...sandbox, secrets }, "a-b": other };
  expect(problemsOf({ databases, consumers: {} })).toEqual([
    'databases.a-b.secrets.c: "a-b/c" and "a/b-c" are both "ABC" in the stack\'s outputs; rename one',
  ]);
});

test("a long value is shown by its beginning", () => {
  expect(problemsOf(withSecret({ username: "x".repeat(130) }))).toEqual([
    `databases.orders.secrets.one.username: "${"x".repeat(119)}… ${USER}`,
  ]);
});

test("for a list of secrets, the remedy names no secrets", () => {
  const databases = { orders: { ...sandbox, secrets: [single] } };
  expect(
    problemsOf({ databases, consumers: { app: { ...consumer, secrets: ["orders/one"] } } }),
  ).toEqual([
    problemAt("databases.orders.secrets", [single]),
    'consumers.app.secrets[0]: "orders/one" names no secret of that database; add the secret',
  ]);
});

test("every fault of a secret is reported at once", () => {
  const change = { username: "", role: "rw", schedule: "x", window: "0h", passwordLength: 1 };
  expect(pathsOf(withSecret(change))).toEqual(
    ["username", "schedule", "window", "passwordLength", "role"].map(
      (key) => `databases.orders.secrets.one.${key}`,
    ),
  );
});

test("a secret is filled in with its defaults", () => {
  const { databases } = parseConfig(withSecret({}));
  expect(databases.orders?.secrets.one).toEqual({
    strategy: "single-user",
    usernames: ["reports"],
    role: "ro",
    times: { expression: "rate(30 days)", periodSeconds: 2_592_000 },
    rotateImmediately: true,
    password: { length: 32, excludeCharacters: " !\"#$%&'()*+,./:;<=>?@[\\]^`{|}~" },
    testQueries: [],
    replicaRegions: [],
  });
  expect(databases.orders?.loginRotation).toEqual({
    expression: "rate(30 days)",
    periodSeconds: 2_592_000,
  });
});

test("passwords contain no space, and an administrator's no character that RDS refuses", () => {
  const secrets = {
    one: { ...single, excludeCharacters: "%" },
    admin: { strategy: "master-user", excludeCharacters: "%" },
  };
  const { orders } = parseConfig(withSecrets(secrets)).databases;
  expect(orders?.secrets.one?.password.excludeCharacters).toBe(" %");
  expect(orders?.secrets.admin?.password.excludeCharacters).toBe(" \"%'/@");
});

test("an administrator's secret of an instance, by its complete ARN, is accepted", () => {
  expect(problemsOf(withSecrets({ admin: master }, instance))).toEqual([]);
  const isOwner = { ...instance, owner: "postgres" };
  expect(problemsOf(withSecrets({ admin: master }, isOwner))).toEqual([]);
});

test("the plan has the users that are made, and the deployment every secret", () => {
  const model = modelOf(parseConfig(shipped), "orders", "abcd");
  if (model === undefined) throw new Error("the shipped configuration has no database orders");
  expect(toPlan(model).rotatedUsers).toEqual({
    reports: { strategy: "single-user", usernames: ["reports"], group: "mf_abcd_group_readonly" },
    shop: { strategy: "alternating-users", usernames: ["shop_a", "shop_b"], group: "app_owner" },
  });
  expect(Object.keys(toDeployment(model).rotatedSecrets ?? {})).toEqual([
    "admin",
    "issuer",
    "janitor",
    "reports",
    "shop",
  ]);
});

test("without secrets the plan has none, and Mayfly's own logins are still rotated", () => {
  const model = modelOf(parseConfig(withDatabase(sandbox)), "orders", "abcd");
  if (model === undefined) throw new Error("there is a database orders");
  expect(toPlan(model)).not.toHaveProperty("rotatedUsers");
  const month = { periodSeconds: 2_592_000 };
  expect(toDeployment(model).rotatedSecrets).toEqual({ issuer: month, janitor: month });
});
