import { Stack } from "aws-cdk-lib";
import { Annotations, Match } from "aws-cdk-lib/assertions";
import { AccountRootPrincipal, PolicyStatement, Role } from "aws-cdk-lib/aws-iam";
import { afterAll, expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { MayflyStack } from "../../lib/index.ts";
import { host, role } from "../config/sample-config.ts";
import { READONLY, resourcesOf, Workbench } from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const HERE = { account: "111122223333", region: "eu-west-1" };

/** Statements of about 100 characters each. */
const statements = (count: number): PolicyStatement[] =>
  Array.from(
    { length: count },
    (_, n) =>
      new PolicyStatement({
        actions: ["s3:GetObject"],
        resources: [`arn:aws:s3:::bucket-${n}/${"x".repeat(30)}`],
        conditions: { Bool: { "aws:SecureTransport": n % 2 === 0 } },
      }),
  );

test("inline policies of a role that IAM would not take are told at synthesis", () => {
  const fill = (count: number) => {
    const stack = bench.stackIn(HERE);
    const app = Role.fromRoleName(stack, "App", "app");
    bench.database({}, stack).addRole("readonly", READONLY).addConsumer("app", app);
    for (const each of statements(count)) app.addToPrincipalPolicy(each);
    return stack;
  };
  expect(() => resourcesOf(fill(50))).not.toThrow();
  expect(() => resourcesOf(fill(90))).toThrow(
    /Team\/App: its inline policies have 1\d{4} characters, and IAM allows a role 10240; give some/,
  );
});

test("policies of several stacks for one role of the account are added up", () => {
  const app = bench.app();
  const stacks = ["Team", "Other"].map((name) => new Stack(app, name, { env: HERE }));
  const [team] = stacks;
  if (team === undefined) throw new Error("there is no stack");
  for (const stack of stacks) {
    const imported = Role.fromRoleName(stack, "App", "app");
    if (stack === team)
      bench.database({}, stack).addRole("readonly", READONLY).addConsumer("app", imported);
    for (const each of statements(50)) imported.addToPrincipalPolicy(each);
  }
  expect(() => resourcesOf(team)).toThrow("Team/App: its inline policies have ");
});

test("a role's own inline and managed policies count too", () => {
  const stack = bench.stackIn(HERE);
  const arns = Array.from({ length: 11 }, (_, n) => ({
    managedPolicyArn: `arn:aws:iam::aws:policy/P${n}`,
  }));
  const app = new Role(stack, "App", { assumedBy: new AccountRootPrincipal() });
  for (const each of arns) app.addManagedPolicy(each as never);
  bench.database({}, stack).addRole("readonly", READONLY).addConsumer("app", app);
  expect(() => resourcesOf(stack)).toThrow(
    "Team/App: it has 11 managed policies, and IAM allows a role 10; give some of its roles and secrets to a consumer with another role",
  );
});

const withReplicas = (replicas: readonly (number | undefined)[], limits: object = {}) =>
  new MayflyStack(bench.app(), "Mayfly", {
    config: parseConfig({
      databases: { orders: { ...host, roles: { ro: { ...role, ...limits } } } },
      consumers: Object.fromEntries(
        replicas.map((count, index) => [
          `app-${index}`,
          { ecs: true, roles: ["orders/ro"], ...(count !== undefined && { replicas: count }) },
        ]),
      ),
    }),
    assets: bench.assets,
    env: HERE,
  });

const warnings = (stack: Stack): string[] =>
  Annotations.fromStack(stack)
    .findWarning("*", Match.stringLikeRegexp("mayfly:replicas"))
    .map(({ entry }) => entry.data as string);

test.each<[readonly (number | undefined)[], object, RegExp]>([
  [[500], {}, /^$/],
  [
    [501],
    {},
    /^orders\/ro has room for 1000 leases of app-0, which has 501 replicas; raise .* to 1002 /,
  ],
  [[4], { maxLeasesPerConsumer: 7 }, /^orders\/ro has room for 7 leases of app-0, which has 4 rep/],
  [
    [3, 3],
    { maxLeases: 11 },
    /^orders\/ro has room for 11 leases, and app-0, app-1 have 6 replicas; raise maxLeases to 12 /,
  ],
  [[3, 3], { maxLeases: 12 }, /^$/],
  [[undefined, 3], { maxLeases: 6 }, /^$/],
])("replicas %j of a role with %j", (replicas, limits, warning) => {
  expect(warnings(withReplicas(replicas, limits)).join("\n")).toMatch(warning);
});
