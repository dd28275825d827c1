import { expect, test } from "vitest";
import { defineConfig, parseConfig } from "../../config/config.ts";
import { parseRole, parseSettings } from "../../config/parts.ts";
import { writtenLength } from "../../config/schema/length.ts";
import shipped from "../../mayfly.config.ts";
import {
  consumer,
  host,
  pathsOf,
  problemAt,
  problemsOf,
  role,
  sandbox,
  settings,
  withConsumer,
  withDatabase,
} from "./sample-config.ts";

const reports = { strategy: "single-user", username: "reports", role: "ro" };

const TOPIC = (fault: string): string =>
  `alarms.topicArn: ${fault}; write it as in "arn:aws:sns:eu-west-1:111122223333:on-call"`;

const IDENTITY =
  'consumers.app: needs exactly one of eks, ecs, ec2, lambda, github, gitlab, oidc, rolesAnywhere, identityCenter, roleArn, otherAccountRoleArn, newRole, sandbox; write e.g. eks: { cluster: "main", namespace: "shop", serviceAccount: "api" }';

test.each<[string, unknown, string]>([
  ["no object", 7, "config: 7 is not an object; export default defineConfig({ … })"],
  ["nothing", undefined, "config: missing; export default defineConfig({ … })"],
  [
    "no database",
    { databases: {}, consumers: {} },
    "databases: {} is empty; give at least one database",
  ],
  [
    "no consumers",
    { databases: { orders: sandbox } },
    "consumers: missing; give an object of consumers, or {}",
  ],
  [
    "an unknown key at the top",
    { ...withDatabase(sandbox), server: {} },
    "server: unknown key; known are databases, consumers, alarms, auditEvents, dashboard, aliasUnsealed, nestedStacks",
  ],
  [
    "events for a topic",
    {
      ...withDatabase(sandbox),
      auditEvents: { busArn: "arn:aws:sns:eu-west-1:111122223333:on-call" },
    },
    'auditEvents.busArn: "arn:aws:sns:eu-west-1:111122223333:on-call" is not the ARN of an event bus; write it as in "arn:aws:events:eu-west-1:111122223333:event-bus/audit"',
  ],
  ["alarms for nobody", { ...withDatabase(sandbox), alarms: {} }, TOPIC("missing")],
  [
    "a queue to alarm",
    { ...withDatabase(sandbox), alarms: { topicArn: "arn:aws:sqs:eu-west-1:111122223333:x" } },
    TOPIC('"arn:aws:sqs:eu-west-1:111122223333:x" is not the ARN of an SNS topic'),
  ],
  [
    "a dashboard in words",
    { ...withDatabase(sandbox), dashboard: "yes" },
    'dashboard: "yes" is not true or false; write one of them, without quotes',
  ],
  [
    "a database's name",
    { databases: { Orders: sandbox }, consumers: {} },
    'databases.Orders: "Orders" is not a name; write 1 to 32 of a-z, 0-9 and single hyphens, a letter first',
  ],
  [
    "a role's name",
    withDatabase({ ...sandbox, roles: { "read--only": role } }),
    'databases.orders.roles.read--only: "read--only" is not a name; write 1 to 14 of a-z, 0-9 and single hyphens, a letter first, and none of issuer, login, group, janitor, ender',
  ],
  [
    "no roles",
    withDatabase({ ...sandbox, roles: {} }),
    "databases.orders.roles: {} is empty; give at least one role",
  ],
  [
    "no application database",
    withDatabase({ ...sandbox, databases: [] }),
    'databases.orders.databases: [] is not a list of at least one; list the application databases, e.g. ["orders"]',
  ],
  [
    "the maintenance database",
    withDatabase({ ...sandbox, databases: ["mayfly"] }),
    'databases.orders.databases[0]: "mayfly" is Mayfly\'s own database; write another, or give Mayfly\'s own another name in "maintenanceDatabase"',
  ],
  [
    "two databases of a sandbox",
    withDatabase({ ...sandbox, databases: ["a", "b"] }),
    'databases.orders.databases: ["a","b"] is more than one database, and a sandbox has one; list one database',
  ],
  [
    "an owner that is ours",
    withDatabase({ ...sandbox, owner: "mf_abcd_janitor" }),
    'databases.orders.owner: "mf_abcd_janitor" is not an owner of tables; name the PostgreSQL role that owns them, 1 to 63 bytes, no "mf_" or "pg_" in front',
  ],
  [
    "a tag of five",
    withDatabase({ ...sandbox, tag: "abcde" }),
    'databases.orders.tag: "abcde" is not a tag; write four of a-z and 2-7',
  ],
  [
    "a watched user of Mayfly's own",
    withDatabase({ ...sandbox, watch: ["orders_app", "mf_qdoi_login_a"] }),
    'databases.orders.watch[1]: "mf_qdoi_login_a" is not a user to watch; write the name of a PostgreSQL user, 1 to 63 bytes, no "mf_" or "pg_" in front',
  ],
  [
    "a watched user, twice",
    withDatabase({ ...sandbox, watch: ["orders_app", "orders_app"] }),
    'databases.orders.watch[1]: "orders_app" is there twice; remove one',
  ],
  [
    "too many watched users",
    withDatabase({ ...sandbox, watch: Array.from({ length: 21 }, (_, n) => `app_${n}`) }),
    "databases.orders.watch: 21 users are more than 20; watch those that are to go next",
  ],
  [
    "1025 shards",
    withDatabase({ ...sandbox, shards: 1_025 }),
    "databases.orders.shards: 1025 is not a whole number from 1 to 1024; write one",
  ],
  [
    "no target",
    withDatabase(settings),
    "databases.orders: neither a sandbox nor a host; write sandbox: true, or a host with adminSecret and vpc",
  ],
  [
    "sandbox: false",
    withDatabase({ ...sandbox, sandbox: false }),
    "databases.orders.sandbox: false is not true; write true, or remove it and give a host",
  ],
  [
    "a sandbox with a host",
    withDatabase({ ...sandbox, host: "db" }),
    'databases.orders.host: "db" is only for an existing server; remove it, or remove sandbox',
  ],
  ["a consumer without identity", withConsumer({ newRole: undefined }), IDENTITY],
  ["a consumer with two", withConsumer({ roleArn: "arn:aws:iam::111122223333:role/x" }), IDENTITY],
  ["a consumer that is a role and a sandbox's", withConsumer({ sandbox: true }), IDENTITY],
  [
    "a consumer with sandbox: false",
    withConsumer({ newRole: undefined, sandbox: false }),
    "consumers.app.sandbox: false is not true; write true, or remove it and give roleArn or newRole",
  ],
  [
    "a sandbox's consumer of a server that exists",
    { databases: { orders: host }, consumers: { app: { sandbox: true, roles: ["orders/ro"] } } },
    'consumers.app.roles: ["orders/ro"] is not in a sandbox: orders is an existing server; name roles of a database with sandbox: true, or give roleArn or newRole',
  ],
  [
    "a consumer of two sandboxes",
    {
      databases: { a: sandbox, b: sandbox },
      consumers: { app: { sandbox: true, roles: ["a/ro", "b/ro"] } },
    },
    'consumers.app.roles: ["a/ro","b/ro"] names more than one sandbox, and each has its own VPC; name roles of one database',
  ],
  [
    "a session's ARN",
    withConsumer({ newRole: undefined, roleArn: "arn:aws:sts::111122223333:assumed-role/x/y" }),
    `consumers.app.roleArn: "arn:aws:sts::111122223333:assumed-role/x/y" is not a role's ARN; write the role's own ARN, e.g. arn:aws:iam::111122223333:role/reporting`,
  ],
  [
    "everybody",
    withConsumer({ newRole: { assumedBy: "*" } }),
    'consumers.app.newRole.assumedBy: "*" cannot assume a role; write "account" or a service such as "ecs-tasks.amazonaws.com"',
  ],
  [
    "a consumer of nothing",
    withConsumer({ roles: [] }),
    'consumers.app.roles: [] is not a list of at least one; list grants, e.g. ["orders/readonly"]',
  ],
  [
    "a grant of one word",
    withConsumer({ roles: ["ro"] }),
    'consumers.app.roles[0]: "ro" is not a grant; write "database/role", e.g. "orders/readonly"',
  ],
  [
    "a grant in no database",
    withConsumer({ roles: ["users/ro"] }),
    'consumers.app.roles[0]: "users/ro" names no database of this configuration; add the database or correct it',
  ],
  [
    "a grant of no role",
    withConsumer({ roles: ["orders/rw"] }),
    'consumers.app.roles[0]: "orders/rw" names no role of that database; add the role, or name one of ro',
  ],
  [
    "a tag used twice",
    {
      databases: { a: { ...sandbox, tag: "abcd" }, b: { ...sandbox, tag: "abcd" } },
      consumers: {},
    },
    'databases.b.tag: "abcd" is the tag of "a" too; write another',
  ],
  [
    "two names of one output",
    { databases: { orders: sandbox }, consumers: { "app-1": consumer, app1: consumer } },
    'consumers.app1: "app1" and "app-1" are both "App1" in the stack\'s outputs; rename one',
  ],
])("refuses %s, naming place, value and remedy", (_what, config, problem) => {
  expect(problemsOf(config)).toEqual([problem]);
});

test.each<[string, unknown, string, unknown]>([
  [
    "a database's name with a dot",
    { databases: { "a.b": sandbox }, consumers: {} },
    'databases["a.b"]',
    "a.b",
  ],
  [
    "a role's name of 15",
    withDatabase({ ...sandbox, roles: { abcdefghijklmno: role } }),
    "databases.orders.roles.abcdefghijklmno",
    "abcdefghijklmno",
  ],
  ...["issuer", "login", "group", "janitor", "ender"].map(
    (name): [string, unknown, string, unknown] => [
      `a role called ${name}, which would be in the range of Mayfly's own`,
      withDatabase({ ...sandbox, roles: { [name]: role } }),
      `databases.orders.roles.${name}`,
      name,
    ],
  ),
  ["no owner", withDatabase({ ...sandbox, owner: undefined }), "databases.orders.owner", undefined],
  [
    "a boolean in words",
    withDatabase({ ...sandbox, reserveConcurrency: "no" }),
    "databases.orders.reserveConcurrency",
    "no",
  ],
  [
    "a grant of an inherited name",
    withConsumer({ roles: ["orders/constructor"] }),
    "consumers.app.roles[0]",
    "orders/constructor",
  ],
  [
    "a grant twice",
    withConsumer({ roles: ["orders/ro", "orders/ro"] }),
    "consumers.app.roles[1]",
    "orders/ro",
  ],
])("refuses %s, naming place and value", (_what, config, path, value) => {
  expect(problemsOf(config)).toEqual([problemAt(path, value)]);
});

test("reports every fault of a configuration at once", () => {
  const config = {
    databases: {
      orders: { ...sandbox, owner: "", roles: { ro: { ...role, ttl: "90x", maxTtl: 1 } } },
    },
    consumers: { app: { ...consumer, roles: ["orders/rw"] } },
  };
  expect(pathsOf(config)).toEqual([
    "databases.orders.owner",
    "databases.orders.roles.ro.ttl",
    "databases.orders.roles.ro.maxTtl",
    "consumers.app.roles[0]",
  ]);
});

test("accepts the shipped configuration and fills in the defaults", () => {
  const { databases, consumers } = parseConfig(shipped);
  expect(databases.orders).toEqual({
    target: undefined,
    databases: ["orders"],
    owner: "app_owner",
    shards: 64,
    maintenanceDatabase: "mayfly",
    reserveConcurrency: true,
    roles: {
      readonly: {
        privileges: { select: ["public.*"] },
        ttlSeconds: 3_600,
        maxTtlSeconds: 86_400,
        maxLeases: 1_000,
        maxLeasesPerConsumer: 1_000,
        connectionLimit: 20,
      },
      readwrite: {
        privileges: {
          select: ["public.*"],
          insert: ["public.*"],
          update: ["public.*"],
          usage: ["public.*"],
        },
        ttlSeconds: 900,
        maxTtlSeconds: 28_800,
        maxLeases: 50,
        maxLeasesPerConsumer: 50,
        connectionLimit: 20,
      },
    },
    secrets: {
      reports: expect.objectContaining({ strategy: "single-user", role: "readonly" }),
      shop: expect.objectContaining({ strategy: "alternating-users", ownerGroup: "app_owner" }),
      admin: expect.objectContaining({
        strategy: "master-user",
        usernames: [],
        times: { expression: "cron(0 4 1 * ? *)", periodSeconds: 31 * 86_400, window: "2h" },
      }),
    },
    loginRotation: { expression: "rate(30 days)", periodSeconds: 30 * 86_400 },
  });
  expect(consumers["user-service"]).toEqual({
    identity: { kind: "sandbox", value: true },
    grants: [
      { database: "orders", role: "readonly" },
      { database: "orders", role: "readwrite" },
    ],
    secrets: [],
  });
  expect(consumers.reporting).toEqual({
    identity: { kind: "newRole", value: { assumedBy: "account" } },
    grants: [{ database: "orders", role: "readonly" }],
    secrets: [{ database: "orders", secret: "reports" }],
  });
});

test("accepts a role that exists", () => {
  const roleArn = "arn:aws-cn:iam::111122223333:role/team/reporting";
  expect(problemsOf(withConsumer({ newRole: undefined, roleArn }))).toEqual([]);
});

test.each([
  "arn:aws:iam::111122223333:role/",
  "arn:aws:iam::111122223333:role//",
  "arn:aws:iam::111122223333:role//x",
  "arn:aws:iam::111122223333:role/team/",
  "arn:aws:iam::111122223333:role/team//x",
  `arn:aws:iam::111122223333:role/${"x".repeat(65)}`,
  `arn:aws:iam::111122223333:role/${"x/".repeat(256)}y`,
  "arn:aws_x:iam::111122223333:role/x",
  "arn:aws:iam:eu-west-1:111122223333:role/x",
])("%s is no role", (roleArn) => {
  const [problem] = problemsOf(withConsumer({ newRole: undefined, roleArn }));
  expect(problem).toMatch(
    /^consumers\.app\.roleArn: "arn:aws.* is not a role's ARN; write the role/,
  );
});

test.each([
  [
    { orders: sandbox, "orders-sandbox": host },
    'databases.orders-sandbox: "orders-sandbox" is what the stack calls the sandbox of "orders"; rename the database',
  ],
  [
    { orders: sandbox, "consumer-app": { ...host, databases: ["x"] } },
    'databases.consumer-app: "consumer-app" is what the stack calls consumer "app"; rename the database',
  ],
  [
    { orders: { ...sandbox, secrets: { "x-issuer": reports } }, "orders-x": host },
    'databases.orders.secrets.x-issuer: "orders/x-issuer" and "orders-x/issuer" are both "OrdersXIssuer" in the stack\'s outputs; rename one',
  ],
])("a database's name that the stack has for something else: %#", (databases, problem) => {
  expect(problemsOf({ databases, consumers: { app: consumer } })).toEqual([problem]);
});

test("refuses names such as constructor", () => {
  const roles = { ro: role, constructor: role };
  expect(problemsOf(withDatabase({ ...sandbox, roles }))).toEqual([
    'databases.orders.roles: "constructor" is not a name that can be used; write another',
  ]);
});

test.each(["constructor", "prototype", "__proto__"])(
  "refuses the key %s, as any unknown",
  (key) => {
    const odd = Object.defineProperty({ ...sandbox }, key, { value: {}, enumerable: true });
    expect(problemsOf(withDatabase(odd))).toEqual([
      `databases.orders: "${key}" is an unknown key; remove it`,
    ]);
  },
);

const circle: Record<string, unknown> = {};
circle.itself = circle;

test.each<[unknown, string]>([
  [Number.NaN, "NaN"],
  [Number.POSITIVE_INFINITY, "Infinity"],
  [10n, "10"],
  [circle, "something that JSON cannot hold (TypeError)"],
])("says of %s what it is", (shards, shown) => {
  const [problem] = problemsOf(withDatabase({ ...sandbox, shards }));
  expect(problem?.startsWith(`databases.orders.shards: ${shown} is not `)).toBe(true);
});

test("names every unknown key", () => {
  expect(pathsOf({ ...withDatabase({ ...sandbox, a: 1, b: 2 }), c: undefined, d: 3 })).toEqual([
    "databases.orders.a",
    "databases.orders.b",
    "d",
  ]);
});

test("returns a configuration that nobody can change", () => {
  const { databases } = parseConfig(shipped);
  expect(Object.isFrozen(databases.orders?.roles.readonly?.privileges.select)).toBe(true);
});

test("defineConfig returns its argument", () => {
  expect(defineConfig(shipped)).toBe(shipped);
  // @ts-expect-error a ttl is a string with a unit
  defineConfig({ databases: { a: { ...sandbox, roles: { ro: { ttl: 60 } } } }, consumers: {} });
});

test("constructs get the same errors for a role and for settings", () => {
  expect(() => parseRole("read_only", writtenLength, { ttl: "1h", maxTtl: "1h" })).toThrow(
    '"read_only" is not a role name; write 1 to 14 of a-z, 0-9 and single hyphens, a letter first, and none of issuer, login, group, janitor, ender\n' +
      "read_only: no privilege",
  );
  const readonly = { select: ["public.*"], ttl: "1h", maxTtl: "1h" };
  expect(() => parseRole("group", writtenLength, readonly)).toThrow(/^"group" is not a role name/);
  for (const near of ["groups", "issuer-2", "my-login"])
    expect(parseRole(near, writtenLength, readonly).ttlSeconds).toBe(3_600);
  expect(() => parseSettings("orders", { databases: ["orders"], owner: "o", shards: 0 })).toThrow(
    /^orders\.shards: 0 /,
  );
  expect(parseSettings("orders", { databases: ["orders"], owner: "o" })).toMatchObject({
    tls: "verify-full",
    shards: 64,
    maintenanceDatabase: "mayfly",
  });
  const named = { databases: ["mayfly"], owner: "o", maintenanceDatabase: "mayfly_own" };
  expect(parseSettings("orders", named)).toMatchObject(named);
  expect(() => parseSettings("orders", { ...named, databases: ["mayfly_own"] })).toThrow(
    'orders.maintenanceDatabase: "mayfly_own" is an application database; name one that is nobody else\'s',
  );
  for (const name of ["postgres", "template1", "My-Flies", "", "9lives", "a".repeat(64), 7])
    expect(() => parseSettings("orders", { ...named, maintenanceDatabase: name })).toThrow(
      "orders.maintenanceDatabase: ",
    );
});
