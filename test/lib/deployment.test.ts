import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type App, Duration, Stack } from "aws-cdk-lib";
import { AccountRootPrincipal, Role } from "aws-cdk-lib/aws-iam";
import { afterAll, expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import type { Deployment } from "../../core/leases/deployment.ts";
import { addressOf, tagOf } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { type DynamicDatabase, MayflyStack } from "../../lib/index.ts";
import shipped from "../../mayfly.config.ts";
import {
  assetFile,
  deployedFiles,
  ofType,
  only,
  READONLY,
  resourcesOf,
  shippedStack,
  Workbench,
} from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const deploymentOf = (stack: Stack, functionWord: string): Deployment =>
  JSON.parse(assetFile(stack, functionWord, "deployment.json")) as Deployment;

const planOf = (stack: Stack): ProvisionPlan => {
  const [, { Properties }] = only(resourcesOf(stack), "Custom::MayflyProvision");
  return JSON.parse(String(Properties.Plan)) as ProvisionPlan;
};

const consumerIn = (stack: Stack, name = "App"): Role =>
  new Role(stack, name, { assumedBy: new AccountRootPrincipal() });

/** A database with one role, and a consumer of it where one is named. */
function deployed(consumers: readonly string[]): DynamicDatabase {
  const database = bench.database();
  const role = database.addRole("readonly", READONLY);
  for (const consumer of consumers)
    role.addConsumer(consumer, consumerIn(Stack.of(database), consumer));
  return database;
}

const versionOf = (database: DynamicDatabase): string =>
  only(resourcesOf(Stack.of(database)), "AWS::Lambda::Version", "Issuer")[0];

test("every function that serves leases carries all grants of the configuration, and nothing of their roles", () => {
  const stack = shippedStack();
  const expected = {
    tls: "verify-full",
    database: "orders",
    shards: 64,
    maintenanceDatabase: "mayfly",
    tag: expect.stringMatching(/^[a-z2-7]{4}$/),
    grants: {
      "reporting--readonly": { consumer: "reporting", role: "readonly" },
      "user-service--readonly": { consumer: "user-service", role: "readonly" },
      "user-service--readwrite": { consumer: "user-service", role: "readwrite" },
    },
  };
  const issuer = deploymentOf(stack, "Issuer");
  expect(issuer).toEqual(expected);
  for (const name of ["Revoker", "Operator"]) expect(deploymentOf(stack, name)).toEqual(issuer);
  const { rotatedSecrets, ...rest } = deploymentOf(stack, "Sweeper");
  expect(rest).toEqual(issuer);
  expect(rotatedSecrets).toBeDefined();
});

test("only the sweeper's deployment.json has the rotated secrets and their periods", () => {
  const { rotatedSecrets } = deploymentOf(shippedStack(), "Sweeper");
  const days = (n: number) => ({ periodSeconds: n * 86_400 });
  expect(rotatedSecrets).toEqual({
    admin: days(31), // the first of each month
    issuer: days(30),
    janitor: days(30),
    reports: days(30),
    shop: days(7),
  });
});

test("a role and a consumer that are added last are deployed too", () => {
  const database = deployed([]);
  const stack = Stack.of(database);
  const role = database.addRole("late", { ...READONLY, ttl: Duration.minutes(5) });
  role.addConsumer("app", consumerIn(stack));
  expect(Object.keys(planOf(stack).roles)).toEqual(["late", "readonly"]);
  expect(planOf(stack).roles.late?.ttlSeconds).toBe(300);
  expect(deploymentOf(stack, "Issuer").grants).toEqual({
    "app--late": { consumer: "app", role: "late" },
  });
});

test("a new grant gives the functions a new asset and the aliases a new version", () => {
  const [before, same, after] = [deployed(["app"]), deployed(["app"]), deployed(["app", "other"])];
  expect(versionOf(same)).toBe(versionOf(before));
  expect(versionOf(after)).not.toBe(versionOf(before));
  const key = (database: DynamicDatabase): unknown =>
    only(resourcesOf(Stack.of(database)), "AWS::Lambda::Function", "Revoker")[1].Properties.Code;
  expect(key(after)).not.toEqual(key(before));
});

test("two databases of one app are deployed each with its own roles and grants", () => {
  const first = deployed(["app"]);
  const stack = Stack.of(first);
  const users = bench.database({ database: "users" }, stack, "Users");
  users.addRole("other", READONLY).addConsumer("app", consumerIn(stack));
  const grantsOf = (word: string) => Object.keys(deploymentOf(stack, word).grants);
  expect(grantsOf("OrdersFunctionsIssuer")).toEqual(["app--readonly"]);
  expect(grantsOf("UsersFunctionsIssuer")).toEqual(["app--other"]);
  const rolesOf = (word: string) =>
    Object.keys((JSON.parse(assetFile(stack, word, "plan.json")) as ProvisionPlan).roles);
  expect(rolesOf("OrdersProvisioningProvisioner")).toEqual(["readonly"]);
  expect(rolesOf("UsersProvisioningProvisioner")).toEqual(["other"]);
});

test("a role or a consumer that is added after synthesis is refused", () => {
  const database = bench.database();
  const role = database.addRole("readonly", READONLY);
  (database.node.root as App).synth();
  expect(() => database.addRole("late", READONLY)).toThrow(
    'role "late" comes too late: Team/Orders was synthesized already',
  );
  expect(() => role.addConsumer("app", consumerIn(Stack.of(database)))).toThrow(
    'consumer "app" comes too late: Team/Orders was synthesized already',
  );
});

test("two syntheses of one configuration are identical and leave nothing beside the assembly", () => {
  const outputs = [shippedStack(), bench.stack()].map((stack) => {
    (stack.node.root as App).synth();
    return (stack.node.root as App).outdir;
  });
  const [first, second] = outputs.map(deployedFiles);
  expect(second).toEqual(first);
  const folders = outputs.flatMap((outdir) => readdirSync(outdir));
  expect(folders.filter((name) => name.startsWith("mayfly-"))).toEqual([]);
});

test("without staging the asset is still there when it is published", () => {
  const stack = new Stack(bench.app({ "aws:cdk:disable-asset-staging": true }), "Team");
  bench.database({}, stack).addRole("readonly", READONLY);
  resourcesOf(stack);
  const { outdir } = stack.node.root as App;
  const added = readdirSync(outdir)
    .filter((name) => name.startsWith("mayfly-"))
    .flatMap((folder) => readdirSync(join(outdir, folder)))
    .filter((name) => name.endsWith(".json"));
  const expected = [
    ...Array(4).fill("deployment.json"),
    "plan.json",
    "plan.json",
    "rotation.json",
    "rotation.json",
  ];
  expect(added.sort()).toEqual(expected);
});

test("the plan names each role's group, privileges, TTLs and limits, and bounds the logins", () => {
  const { tag, ...plan } = planOf(shippedStack());
  expect(plan).toEqual({
    database: "orders",
    shards: 64,
    maintenanceDatabase: "mayfly",
    tls: "verify-full",
    owner: "app_owner",
    databases: ["orders"],
    // issuer 5, revoker 2, sweeper 1, operator 1; twice, for a deployment, and 2 to spare
    loginConnectionLimit: 20,
    roles: {
      readonly: {
        groupRole: `mf_${tag}_group_readonly`,
        privileges: { select: ["public.*"] },
        ttlSeconds: 3_600,
        maxTtlSeconds: 86_400,
        maxLeases: 1_000,
        maxLeasesPerConsumer: 1_000,
        connectionLimit: 20,
      },
      readwrite: {
        groupRole: `mf_${tag}_group_readwrite`,
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
    rotatedUsers: {
      reports: {
        strategy: "single-user",
        usernames: ["reports"],
        group: `mf_${tag}_group_readonly`,
      },
      shop: { strategy: "alternating-users", usernames: ["shop_a", "shop_b"], group: "app_owner" },
    },
    // a lease of anybody else is revoked
    grants: [
      { consumer: "reporting", role: "readonly" },
      { consumer: "user-service", role: "readonly" },
      { consumer: "user-service", role: "readwrite" },
    ],
  });
});

test("the provisioner's own plan is the one that CloudFormation sends it", () => {
  const database = deployed(["app"]);
  const role = database.addRole("late", READONLY);
  const stack = Stack.of(database);
  role.addConsumer("other", consumerIn(stack, "other"));
  const plan = JSON.parse(assetFile(stack, "ProvisioningProvisioner", "plan.json"));
  expect(plan).toEqual(planOf(stack));
  expect(Object.keys(plan.roles)).toEqual(["late", "readonly"]);
});

test("the tag stays while roles change, and differs between stacks and databases", () => {
  const tagIn = (name: string, id = "Orders"): string =>
    bench.database({}, new Stack(bench.app(), name), id).tag;
  expect(tagIn("Team")).toBe(deployed(["app"]).tag);
  expect(new Set([tagIn("Team"), tagIn("Other"), tagIn("Team", "Users")]).size).toBe(3);
  expect(bench.database({ tag: "ab27" }).tag).toBe("ab27");
});

test("the tag of a configuration's database comes from the stack's name, as the command line has it", () => {
  const config = parseConfig(shipped);
  const stack = new MayflyStack(bench.app(), "Other", { config, assets: bench.assets });
  expect(planOf(stack).tag).toBe(tagOf(addressOf("Other", "Other/orders")));
});

test("one provisioning, one schedule group and one issuer serve one database", () => {
  const resources = resourcesOf(shippedStack());
  for (const type of ["Custom::MayflyProvision", "AWS::Scheduler::ScheduleGroup"])
    expect(ofType(resources, type)).toHaveLength(1);
  only(resources, "AWS::Lambda::Version", "Issuer");
});

test("the plan names the watched users, sorted", () => {
  const watching = bench.database({ watch: ["orders_app", "batch"] });
  watching.addRole("readonly", READONLY);
  expect(planOf(Stack.of(watching))).toMatchObject({ watch: ["batch", "orders_app"] });
  expect(planOf(shippedStack())).not.toHaveProperty("watch");
});
