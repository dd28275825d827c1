import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Stack } from "aws-cdk-lib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decide, type Statement } from "./privileges/decide.ts";
import {
  asMarkdown,
  type Cell,
  cellsOf,
  privilegesIn,
  sorted,
  unexpected,
} from "./privileges/matrix.ts";
import {
  ASSUMABLE,
  allowed,
  ROLES,
  resources,
  SEALED_FOR_EVERYBODY,
  SERVICES,
  services,
  world,
} from "./privileges/shipped.ts";
import { EXPLAINED, starsIn, unexplained } from "./privileges/stars.ts";
import { isInVpc, type Principal, type Target, type World, worldOf } from "./privileges/world.ts";
import { ACCOUNT, Resolved } from "./resolved.ts";
import { READONLY, type Resources, resourcesOf, Workbench } from "./synthesized.ts";

const cells = new Map<string, readonly Cell[]>();
const cellsFor = (name: string): readonly Cell[] => cells.get(name) ?? [];

beforeAll(async () => {
  for (const principal of [...world.roles, ...services])
    cells.set(principal.name, await cellsOf(principal, world));
});

describe("each principal of the shipped stack may do what its table says, and nothing else", () => {
  test("the tables name every role", () => {
    expect(Object.keys(ROLES).toSorted()).toEqual(world.roles.map(({ name }) => name).toSorted());
    expect(Object.keys(SERVICES)).toEqual(services.map(({ name }) => name));
  });

  test.each(Object.entries({ ...ROLES, ...SERVICES }))("%s", (name, privileges) => {
    expect(privilegesIn(cellsFor(name))).toEqual(sorted(privileges));
  });

  test("no policy of the template has a permission that no table expects", async () => {
    const administrator = await cellsOf(allowed("administrator", "*"), world);
    const all = [...[...cells.values()].flat(), ...administrator];
    expect(await unexpected(world, all)).toEqual([]);
  });

  test("every kind of policy in the template is one that the tables consider", () => {
    const kinds = Object.values(resources)
      .map(({ Type }) => Type)
      .filter((type) => /Policy|Permission|OIDCProvider|Grant$/.test(type));
    expect([...new Set(kinds)].toSorted()).toEqual([
      "AWS::IAM::Policy",
      "AWS::Lambda::Permission",
      "AWS::Lambda::ResourcePolicy",
      "AWS::SQS::QueuePolicy",
    ]);
  });
});

describe("whatever its own policies allow", () => {
  const names = world.targets.filter(({ kind }) => kind === "role").map(({ name }) => name);
  const notAssumable = names.filter((name) => !ASSUMABLE.includes(name));

  test("an administrator can invoke no alias and no provisioner, nor fill the revoker's queue", async () => {
    const all = await cellsOf(allowed("administrator", "*"), world);
    expect(privilegesIn(all, "ExplicitlyDenied")).toEqual(sorted(SEALED_FOR_EVERYBODY));
    const { "sts:AssumeRole": assume, ...rest } = privilegesIn(all, "ImplicitlyDenied");
    expect(assume).toEqual(notAssumable.toSorted());
    const elsewhere = Object.entries(rest).filter(([name]) => !name.startsWith("sts:"));
    expect(new Set(elsewhere.flatMap(([, names]) => names))).toEqual(
      new Set(["a key", "another account's secret"]),
    );
  });

  test("a principal with lambda:* is denied the same, and reaches nothing but Lambda", async () => {
    const all = await cellsOf(allowed("lambda-administrator", "lambda:*"), world);
    const { "sqs:SendMessage": _queue, ...invocations } = SEALED_FOR_EVERYBODY;
    expect(privilegesIn(all, "ExplicitlyDenied")).toMatchObject(sorted(invocations));
    const may = Object.keys(privilegesIn(all));
    expect(may.filter((each) => !each.startsWith("lambda:"))).toEqual([]);
  });

  test("a role of another account may do nothing", async () => {
    const theirs = allowed("administrator", "*", "999999999999");
    const all = (await cellsOf(theirs, world)).filter(({ target }) => target.arn.includes(ACCOUNT));
    expect(privilegesIn(all)).toEqual({});
  });

  test("without TLS, nobody uses a queue", async () => {
    const plaintext = {
      ...allowed("administrator", "*"),
      context: { "aws:SecureTransport": "false" },
    };
    const all = (await cellsOf(plaintext, world)).filter(({ target }) => target.kind === "queue");
    expect(privilegesIn(all)).toEqual({});
    expect(all.length).toBeGreaterThan(0);
  });
});

describe("the sandbox's endpoints", () => {
  const endpointOf = (action: string) => world.endpoints.get(action.split(":")[0] ?? "");
  const inVpc = world.roles.filter(isInVpc);
  const through = (principal: Principal, { attempt, target }: Cell) =>
    decide({
      principal: principal.arn,
      action: attempt.action,
      resource: target.arn,
      identity: principal.statements,
      resourcePolicy: target.policy,
      endpoint: endpointOf(attempt.action) ?? [],
      context: attempt.context,
    });
  const calls = (all: readonly Cell[]) =>
    all.filter(({ attempt }) => endpointOf(attempt.action) !== undefined);

  test("let every call through that a role in the VPC may make", async () => {
    const needed = inVpc.flatMap(({ name }) => calls(cellsFor(name)));
    const made = needed.filter(({ decision }) => decision === "Allowed");
    expect(made.length).toBeGreaterThan(30);
    for (const cell of made) expect(await through(cell.principal, cell)).toBe("Allowed");
  });

  test("let an administrator in the VPC do no action that none of these roles needs", async () => {
    const needed = new Set(
      inVpc
        .flatMap(({ name }) => calls(cellsFor(name)))
        .filter(({ decision }) => decision === "Allowed")
        .map(({ attempt }) => attempt.action),
    );
    const administrator = allowed("administrator", "*");
    const passed = new Set<string>();
    for (const cell of calls(await cellsOf(administrator, world)))
      if ((await through(administrator, cell)) === "Allowed") passed.add(cell.attempt.action);
    expect([...passed].toSorted()).toEqual([...needed].toSorted());
  });

  test("let nobody of another account through, and nobody to another account's secret", async () => {
    const { targets } = world;
    const theirs = targets.find(({ name }) => name === "another account's secret");
    const own = targets.find(({ name }) => name === "ordersSecretsIssuer");
    const call = (arn: string, resource = "", policy: readonly string[] = []) =>
      decide({
        principal: arn,
        action: "secretsmanager:GetSecretValue",
        resource,
        identity: [{ Effect: "Allow", Action: "*", Resource: "*" }],
        // their own secret lets anybody read it
        resourcePolicy: policy.map((Resource) => ({
          Effect: "Allow",
          Principal: "*",
          Action: "*",
          Resource,
        })),
        endpoint: endpointOf("secretsmanager:") ?? [],
      });
    const here = `arn:aws:iam::${ACCOUNT}:role/administrator`;
    const there = "arn:aws:iam::999999999999:role/thief";
    expect(await call(here, own?.arn)).toBe("Allowed");
    expect(await call(here, theirs?.arn, [theirs?.arn ?? ""])).toBe("ImplicitlyDenied");
    expect(await call(there, theirs?.arn, [theirs?.arn ?? ""])).toBe("ImplicitlyDenied");
  });
});

describe("the tables do not fit a template in which", () => {
  type Change = (world: World) => World;
  const withRoles =
    (change: (role: Principal) => Principal): Change =>
    (own) => ({
      ...own,
      roles: own.roles.map(change),
    });
  const withPolicies =
    (change: (target: Target) => Target): Change =>
    (own) => ({
      ...own,
      targets: own.targets.map(change),
    });
  const changed = (
    change: (statement: Statement) => Statement,
    statements: readonly Statement[],
  ): readonly Statement[] => statements.map(change);
  const any: Statement = { Effect: "Allow", Action: "s3:GetObject", Resource: "*" };

  test.each<[string, string, Change]>([
    [
      "the issuer may also read the administrator's secret",
      "ordersFunctionsIssuerRole",
      withRoles((role) => ({
        ...role,
        statements: changed(
          (each) => (each.Sid === "ReadSecrets" ? { ...each, Resource: "*" } : each),
          role.statements,
        ),
      })),
    ],
    [
      "a role may be passed to any service",
      "ordersFunctionsOperatorRole",
      withRoles((role) => ({
        ...role,
        statements: changed(({ Condition: _condition, ...each }) => each, role.statements),
      })),
    ],
    [
      "the operator function may invoke the provisioner by every alias and none",
      "ordersFunctionsOperatorRole",
      (own) =>
        withRoles((role) => ({
          ...role,
          statements: changed(
            (each) => (each.Sid === "Converge" ? { ...each, Resource: "*" } : each),
            role.statements,
          ),
        }))(own),
    ],
    [
      "Scheduler may take the schedules' role for anybody's group",
      "Scheduler, for another account",
      withPolicies((target) => ({
        ...target,
        policy: changed(({ Condition: _condition, ...each }) => each, target.policy),
      })),
    ],
    [
      "Secrets Manager may rotate for another account",
      "Secrets Manager, for another account",
      withPolicies((target) => ({
        ...target,
        policy:
          target.kind === "function"
            ? changed(({ Condition: _condition, ...each }) => each, target.policy)
            : target.policy,
      })),
    ],
  ])("%s", async (_, name, change) => {
    const broken = change(world);
    const principal = [...broken.roles, ...services].find((each) => each.name === name);
    if (principal === undefined) throw new Error(`there is no ${name}`);
    const expected = { ...ROLES, ...SERVICES }[name] ?? {};
    expect(privilegesIn(await cellsOf(principal, broken))).not.toEqual(sorted(expected));
  });

  test("a role has a permission that nobody tries", async () => {
    const broken = withRoles((role) => ({ ...role, statements: [...role.statements, any] }))(world);
    expect(await unexpected(broken, [...cells.values()].flat())).toContain(
      "ordersFunctionsIssuerRole: s3:GetObject on *",
    );
  });

  const document = (statement: object) => ({ Version: "2012-10-17", Statement: [statement] });
  const [aFunction = ""] = Object.keys(resources).filter(
    (id) => resources[id]?.Type === "AWS::Lambda::Function" && id.includes("Issuer"),
  );
  const [aRole = ""] = Object.keys(resources).filter(
    (id) => resources[id]?.Type === "AWS::IAM::Role" && id.includes("Issuer"),
  );
  const permission = (change: object): Resources => ({
    Added: {
      Type: "AWS::Lambda::Permission",
      Properties: { Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com", ...change },
    },
  });
  const attached = (change: object): Resources => ({
    Added: {
      Type: "AWS::IAM::Policy",
      Properties: {
        Roles: [{ Ref: aRole }],
        PolicyDocument: document({ Effect: "Allow", Action: "*", Resource: "*", ...change }),
      },
    },
  });

  test.each<[string, Resources, RegExp]>([
    [
      "a role has a policy of AWS's",
      {
        [aRole]: {
          Type: "AWS::IAM::Role",
          Properties: {
            ...resources[aRole]?.Properties,
            ManagedPolicyArns: ["arn:aws:iam::aws:policy/AdministratorAccess"],
          },
        },
      },
      /ManagedPolicyArns .*AdministratorAccess/,
    ],
    [
      "a role may do all but something",
      attached({ Action: undefined, NotAction: "iam:*" }),
      /^ordersFunctionsIssuerRole: NotAction$/,
    ],
    [
      "a role may act on all but something",
      attached({ Resource: undefined, NotResource: "arn:aws:s3:::x" }),
      /^ordersFunctionsIssuerRole: NotResource$/,
    ],
    [
      "a trust policy names all but somebody",
      {
        [aRole]: {
          Type: "AWS::IAM::Role",
          Properties: {
            ...resources[aRole]?.Properties,
            AssumeRolePolicyDocument: document({
              Effect: "Allow",
              NotPrincipal: { AWS: "arn:aws:iam::123456789012:user/x" },
              Action: "sts:AssumeRole",
            }),
          },
        },
      },
      /^ordersFunctionsIssuerRole: NotPrincipal$/,
    ],
    [
      "a function is named by reference",
      permission({ FunctionName: { Ref: aFunction } }),
      /lambda:InvokeFunction on .*for \{"Service":"s3/,
    ],
    [
      "a service may invoke for another account",
      permission({
        FunctionName: { "Fn::GetAtt": [aFunction, "Arn"] },
        Principal: "secretsmanager.amazonaws.com",
        SourceAccount: "999999999999",
      }),
      /lambda:InvokeFunction on .*for \{"Service":"secretsmanager/,
    ],
    [
      "a permission is on what is not here",
      permission({ FunctionName: "elsewhere" }),
      /^Added: of no function here$/,
    ],
    [
      "a function has a URL",
      {
        Added: {
          Type: "AWS::Lambda::Url",
          Properties: { AuthType: "NONE", TargetFunctionArn: { Ref: aFunction } },
        },
      },
      /^Added: AWS::Lambda::Url$/,
    ],
    ["there is a user", { Added: { Type: "AWS::IAM::User", Properties: {} } }, /IAM::User/],
    [
      "a policy is a group's",
      {
        Added: {
          Type: "AWS::IAM::ManagedPolicy",
          Properties: { Groups: ["g"], PolicyDocument: document({}) },
        },
      },
      /^Added: Groups \["g"\]$/,
    ],
  ])("%s: and that is unexpected", async (_, added, shows) => {
    const template = { ...resources, ...added };
    const broken = worldOf(template, new Resolved(template));
    const found = await unexpected(broken, [...cells.values()].flat());
    expect(found.filter((each) => shows.test(each))).not.toEqual([]);
  });

  test("an alias has no policy of its own", async () => {
    const broken = withPolicies((target) => ({ ...target, policy: [] }))(world);
    const all = await cellsOf(allowed("administrator", "*"), broken);
    expect(privilegesIn(all, "ExplicitlyDenied")).toEqual({});
  });
});

describe("no permission has a * that could be left out, and each * that stays has a reason", () => {
  const bench = new Workbench();
  afterAll(() => bench.remove());
  const stars = new Set<string>();

  test.each<[string, () => Resources]>([
    ["the shipped stack", () => resources],
    [
      "a cluster with readers, and an administrator's secret by name",
      () => {
        const database = bench.database({ clusterIdentifier: "billing" });
        database.addRole("readonly", READONLY);
        return resourcesOf(Stack.of(database));
      },
    ],
  ])("%s", async (_, template) => {
    for (const star of await starsIn(template())) stars.add(star);
    expect(await unexplained(template())).toEqual([]);
  });

  test("every reason is needed, but those for examples and for identities", () => {
    const needless = EXPLAINED.filter(
      ([pattern]) => ![...stars].some((each) => pattern.test(each)),
    );
    expect(needless.map(([, reason]) => reason)).toEqual([
      "a permissions boundary allows nothing by itself; the roles' own policies name each resource",
      "Lambda names the streams of a function's log",
    ]);
  });

  test("a * without a reason is found", async () => {
    const policy = {
      Type: "AWS::IAM::Policy",
      Properties: {
        PolicyDocument: {
          Statement: [
            { Effect: "Allow", Action: "secretsmanager:GetSecretValue", Resource: "*" },
            { Effect: "Allow", Action: ["lambda:*"], Resource: { Ref: "F" } },
            { Effect: "Allow", NotAction: "iam:*", Resource: "arn:aws:s3:::x" },
          ],
        },
      },
    };
    expect(await unexplained({ policy })).toEqual([
      "NotAction",
      "lambda:* on {F}",
      "secretsmanager:GetSecretValue on *",
    ]);
  });
});

test("docs/security.md has this table", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/security.md"), "utf8");
  expect(text).toContain(asMarkdown({ ...ROLES, ...SERVICES }));
});
