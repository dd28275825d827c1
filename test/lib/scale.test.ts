import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Stack } from "aws-cdk-lib";
import { AccountRootPrincipal, Role } from "aws-cdk-lib/aws-iam";
import { afterAll, describe, expect, test } from "vitest";
import { type MayflyConfig, parseConfig } from "../../config/config.ts";
import { MayflyStack } from "../../lib/index.ts";
import shipped from "../../mayfly.config.ts";
import { host, role } from "../config/sample-config.ts";
import { ACCOUNT, REGION } from "./resolved.ts";
import { ofType, READONLY, type Resources, resourcesOf, Workbench } from "./synthesized.ts";

/** More is the same again, and slow: `npm run test:scale`. */
const DATABASES = process.env.MAYFLY_FULL_SCALE === undefined ? 8 : 40;
const FIRST_CONSUMERS = 40;
const GRANTS_OF_REPORTING = 60;

const bench = new Workbench();
afterAll(() => bench.remove());

const numbered = (what: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${what}-${index + 1}`);

const ROLES = numbered("role", 8);
const NAMES = numbered("db", DATABASES);
const databaseOf = (name: string) => ({
  ...host,
  host: `${name}.example.com`,
  roles: Object.fromEntries(ROLES.map((each) => [each, role])),
});
const everywhere = NAMES.flatMap((name) => ROLES.map((each) => `${name}/${each}`));

/** Forty consumers of three roles of the first database, and one of many roles of all. */
const LARGE: MayflyConfig = {
  databases: Object.fromEntries(NAMES.map((name) => [name, databaseOf(name)])),
  consumers: {
    ...Object.fromEntries(
      numbered("service", FIRST_CONSUMERS).map((name) => [
        name,
        {
          newRole: { assumedBy: "account" },
          roles: ROLES.slice(0, 3).map((each) => `db-1/${each}`),
        },
      ]),
    ),
    reporting: {
      roleArn: `arn:aws:iam::${ACCOUNT}:role/reporting`,
      roles: everywhere.slice(-GRANTS_OF_REPORTING),
    },
    ...Object.fromEntries(
      NAMES.slice(8).map((name, index) => [
        `other-${index + 1}`,
        { newRole: { assumedBy: "account" }, roles: ROLES.slice(0, 4).map((r) => `${name}/${r}`) },
      ]),
    ),
  },
  alarms: { topicArn: `arn:aws:sns:${REGION}:${ACCOUNT}:on-call` },
  dashboard: true,
};

interface FoundTemplate {
  readonly file: string;
  readonly text: string;
  readonly Resources: Resources;
  readonly Outputs?: object;
  readonly Parameters?: object;
}

/** Synthesize a configuration, and read everything that CloudFormation would be given. */
function synthesize(config: MayflyConfig) {
  const app = bench.app();
  const stack = new MayflyStack(app, "Mayfly", {
    config: parseConfig(config),
    assets: bench.assets,
  });
  const { directory } = app.synth();
  const templates = readdirSync(directory)
    .filter((file) => file.endsWith(".template.json"))
    .map((file): FoundTemplate => {
      const text = readFileSync(join(directory, file), "utf8");
      return { file, text, ...JSON.parse(text) };
    });
  return { stack, templates };
}

const PSEUDO: Readonly<Record<string, string>> = {
  "AWS::AccountId": ACCOUNT,
  "AWS::Partition": "aws",
  "AWS::Region": REGION,
};

/** A value as CloudFormation makes it, as far as it is made of texts; references by their names. */
function textOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(textOf);
  if (typeof value !== "object" || value === null) return value;
  const { Ref: name, "Fn::Join": parts } = value as { Ref?: string; "Fn::Join"?: unknown[] };
  if (name !== undefined) return PSEUDO[name] ?? name;
  if (parts !== undefined) return (textOf(parts[1]) as unknown[]).join(String(parts[0]));
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, textOf(each)]));
}

const lengthOf = (document: unknown): number =>
  JSON.stringify(textOf(document)).replace(/\s/g, "").length;

/** The policies that are attached to each role, by the role's name or logical id. */
function policiesByRole(templates: readonly FoundTemplate[], type: string): Map<string, unknown[]> {
  const found = new Map<string, unknown[]>();
  for (const { Resources } of templates)
    for (const [, { Properties }] of ofType(Resources, type))
      for (const each of textOf(Properties.Roles) as string[])
        found.set(each, [...(found.get(each) ?? []), Properties.PolicyDocument]);
  return found;
}

/** The aliases that policies let somebody invoke, as `function:alias`. */
const invocableIn = (documents: readonly unknown[]): string[] =>
  documents
    .flatMap(
      (each) => (textOf(each) as { Statement: { Sid: string; Resource: string[] }[] }).Statement,
    )
    .filter(({ Sid }) => Sid === "AskMayfly")
    .flatMap(({ Resource }) => [Resource].flat())
    .map((arn) => arn.split(":function:")[1] ?? arn);

/** What is more than CloudFormation or IAM allows. */
function excessesOf(templates: readonly FoundTemplate[]): string[] {
  const found: string[] = [];
  const limit = (what: string, number: number, most: number): void => {
    if (number > most) found.push(`${what}: ${number}, and ${most} are allowed`);
  };
  for (const { file, text, Resources, Outputs = {}, Parameters = {} } of templates) {
    limit(`resources of ${file}`, Object.keys(Resources).length, 500);
    limit(`outputs of ${file}`, Object.keys(Outputs).length, 200);
    limit(`parameters of ${file}`, Object.keys(Parameters).length, 200);
    limit(`bytes of ${file}`, Buffer.byteLength(text), 1_000_000);
  }
  for (const [name, documents] of policiesByRole(templates, "AWS::IAM::Policy")) {
    const characters = documents.reduce((sum: number, each) => sum + lengthOf(each), 0);
    limit(`characters of inline policies of ${name}`, characters, 10_240);
  }
  for (const [name, documents] of policiesByRole(templates, "AWS::IAM::ManagedPolicy")) {
    limit(`managed policies of ${name}`, documents.length, 10);
    for (const each of documents)
      limit(`characters of a managed policy of ${name}`, lengthOf(each), 6_144);
  }
  return found;
}

describe("many databases, consumers and grants", () => {
  const { stack, templates } = synthesize(LARGE);
  const aliases = templates
    .flatMap(({ Resources }) => ofType(Resources, "AWS::Lambda::Alias"))
    .filter(([, { Properties }]) => String(Properties.Name).includes("--"));

  test("are within every limit of CloudFormation and IAM", () => {
    expect(aliases).toHaveLength(
      3 * FIRST_CONSUMERS + GRANTS_OF_REPORTING + 4 * Math.max(0, DATABASES - 8),
    );
    expect(excessesOf(templates)).toEqual([]);
  });

  test("every database but the first has a stack of its own, which refers to no other", () => {
    expect([...stack.databaseStacks.keys()]).toEqual(NAMES.slice(1));
    for (const [name, each] of stack.databaseStacks) {
      expect(each.stackName).toBe(`Mayfly-${name}`);
      expect(each.dependencies).toEqual([]);
    }
    expect(stack.dependencies).toEqual([]);
    expect(templates.map(({ text }) => text).join()).not.toMatch(/ImportValue|GetStackOutput/);
  });

  test("each stack names its own functions in its outputs; the first names the others", () => {
    const second = templates.find(({ file }) => /^Mayflydb2[0-9A-F]{8}\.template/.test(file));
    expect(Object.keys(second?.Outputs ?? {})).toEqual([
      "Db2IssuerArn",
      "Db2OperatorArn",
      "Db2IssuerSecretArn",
      "Db2RevokerLogGroup",
    ]);
    const [main] = templates.filter(({ file }) => file === "Mayfly.template.json");
    expect(main?.Outputs).toMatchObject({
      Db1IssuerArn: expect.anything(),
      DatabaseStacks: { Value: NAMES.slice(1).join() },
      [DATABASES > 8 ? "ConsumerRoleArns" : "Service1RoleArn"]: expect.anything(),
    });
  });

  test("every consumer may invoke its aliases and no others, by whatever policies", () => {
    const roles = new Map<string, string[]>();
    for (const type of ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"])
      for (const [name, documents] of policiesByRole(templates, type))
        roles.set(name, [...(roles.get(name) ?? []), ...invocableIn(documents)]);
    const granted = roles.get("reporting")?.map((each) => each.split(":")[1]) ?? [];
    expect(granted).toHaveLength(GRANTS_OF_REPORTING);
    expect(new Set(granted)).toEqual(new Set(ROLES.map((each) => `reporting--${each}`)));
    const issuer = expect.stringMatching(/^mayfly-Mayfly-[a-z2-7]{4}-issuer:service-1--role-\d$/);
    expect(
      [...roles].filter(([, all]) => all.some((each) => each.includes(":service-1--"))),
    ).toEqual([[expect.any(String), [issuer, issuer, issuer]]]);
    expect([...roles.values()].flat()).toHaveLength(aliases.length);
  });

  test("an alias denies everyone but its consumer's role, also from another stack", () => {
    const [denied] = templates
      .filter(({ file }) => file.includes("Grants"))
      .flatMap(({ Resources }) => ofType(Resources, "AWS::Lambda::ResourcePolicy"))
      .filter(([id]) => id.startsWith("service1role1"));
    expect(textOf(denied?.[1].Properties.PolicyDocument)).toMatchObject({
      Statement: [
        {
          Effect: "Deny",
          Condition: {
            StringNotEquals: {
              "aws:PrincipalArn": `arn:aws:iam::${ACCOUNT}:role/mayfly-Mayfly_service-1-${REGION}`,
            },
          },
        },
      ],
    });
  });
});

describe("where things are made", () => {
  const files = (config: MayflyConfig): string[] =>
    synthesize(config).templates.map(({ file }) => file.replace(/[0-9A-F]{8}(?=\.)/, ""));
  const { orders } = shipped.databases;
  if (orders === undefined) throw new Error("the shipped configuration has a database orders");

  test("the shipped configuration is one stack", () => {
    expect(files(shipped)).toEqual(["Mayfly.template.json"]);
  });

  test("the configuration may say otherwise", () => {
    const databases = { orders: { ...orders, ownStack: true } };
    const { stack, templates } = synthesize({ ...shipped, databases, nestedStacks: true });
    expect([...stack.databaseStacks.keys()]).toEqual(["orders"]);
    const names = templates.map(({ file }) => file.replace(/\d?[0-9A-F]{8}\./, "."));
    expect(new Set(names)).toEqual(
      new Set([
        "Mayfly.template.json",
        "Mayflyorders.template.json",
        "MayflyordersGrants.nested.template.json",
        "MayflyConsumers.nested.template.json",
      ]),
    );
    expect(excessesOf(templates)).toEqual([]);
  });
});

test("a role with a hundred grants has a managed policy besides its inline one", () => {
  const stack = new Stack(bench.app(), "Team");
  const database = bench.database({ nestGrants: true }, stack);
  const grantee = new Role(stack, "App", { assumedBy: new AccountRootPrincipal() });
  for (const name of numbered("role", 100))
    database.addRole(name, READONLY).addConsumer("app", grantee);
  const found = resourcesOf(stack);
  expect(ofType(found, "AWS::IAM::ManagedPolicy")).toHaveLength(1);
  expect(ofType(found, "AWS::CloudFormation::Stack")).toHaveLength(4);
  expect(excessesOf([{ file: "Team", text: "", Resources: found }])).toEqual([]);
});

test.each([
  [40, undefined, []],
  [41, undefined, [/^the grants of one \(41\) and the consumers \(41\) will be .* more than 60/]],
  [61, undefined, [/^the grants of one and the consumers are more than 60, .*nestedStacks: true/]],
  [61, true, []],
])("with %d consumers and nestedStacks %s, who must decide is told in time", (...row) => {
  const [count, nestedStacks, expected] = row;
  const consumers = Object.fromEntries(
    numbered("c", count).map((name) => [
      name,
      { newRole: { assumedBy: "account" }, roles: ["one/ro"] },
    ]),
  );
  const databases = { one: { ...host, roles: { ro: role } } };
  const config = { databases, consumers, ...(nestedStacks !== undefined && { nestedStacks }) };
  const warnings = bench
    .stack(config as MayflyConfig)
    .node.metadata.map(({ data }) => String(data))
    .filter((each) => each.includes("nested stacks"));
  expect(warnings).toEqual(expected.map((words) => expect.stringMatching(words)));
});
