import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { costTable } from "../../bin/cost/cost-table.ts";
import { centsOf, monthlyCost, type PricedTemplate } from "../../bin/cost/monthly-cost.ts";
import shipped from "../../mayfly.config.ts";
import { resourcesOf, Workbench } from "../lib/synthesized.ts";
import { shippedAssembly } from "../support/shipped-assembly.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const ROOT = join(import.meta.dirname, "..", "..");
const page = (name: string): string => readFileSync(join(ROOT, name), "utf8");

/** A template of these, each with a logical id of its own. */
const templateOf = (...resources: PricedTemplate["Resources"][string][]): PricedTemplate => ({
  Resources: Object.fromEntries(resources.map((each, i) => [`Resource${i}`, each])),
});

const of = (Type: string, Properties: Record<string, unknown> = {}) => ({ Type, Properties });

/** Name to number and cents. */
const piecesOf = (template: PricedTemplate): Record<string, [number, number]> =>
  Object.fromEntries(
    monthlyCost([template]).pieces.map((each) => [each.name, [each.quantity, centsOf(each)]]),
  );

const SMALL = {
  DBInstanceClass: "db.t4g.micro",
  Engine: "postgres",
  StorageType: "gp3",
  AllocatedStorage: "20",
};
const endpoint = (...SubnetIds: string[]) =>
  of("AWS::EC2::VPCEndpoint", { VpcEndpointType: "Interface", SubnetIds });

test.each<[string, PricedTemplate, Record<string, [number, number]>]>([
  [
    "secrets each",
    templateOf(of("AWS::SecretsManager::Secret"), of("AWS::SecretsManager::Secret")),
    { secrets: [2, 80] },
  ],
  [
    "interface endpoints for each of their zones",
    templateOf(endpoint("a"), endpoint("a", "b")),
    { "interface endpoints, per zone": [3, 2_190] },
  ],
  ["gateway endpoints not at all", templateOf(of("AWS::EC2::VPCEndpoint")), {}],
  [
    "an instance by its class and its storage",
    templateOf(of("AWS::RDS::DBInstance", SMALL)),
    { "RDS PostgreSQL, db.t4g.micro": [1, 1_168], "GB of gp3 storage": [20, 230] },
  ],
  [
    "an alarm by the metrics it watches, and not by its expressions",
    templateOf(
      of("AWS::CloudWatch::Alarm", { MetricName: "Errors" }),
      of("AWS::CloudWatch::Alarm", {
        Metrics: [{ Expression: "a + b" }, { MetricStat: {} }, { MetricStat: {} }],
      }),
    ),
    { "metrics in alarms": [3, 30] },
  ],
  [
    "a dashboard, and the metrics of a database that is swept",
    templateOf(of("AWS::CloudWatch::Dashboard"), of("Custom::MayflyProvision")),
    { dashboards: [1, 300], "metrics of the sweep": [8, 240] },
  ],
  [
    "what is measured of each secret that is rotated",
    templateOf(of("AWS::SecretsManager::RotationSchedule")),
    { "metrics of rotated secrets": [1, 30] },
  ],
  [
    "what Lambda asks of a queue, also of one that is always empty",
    templateOf(of("AWS::Lambda::EventSourceMapping"), of("AWS::Lambda::EventSourceMapping")),
    { "pollers of queues": [10, 53] },
  ],
  ["what is free, and what is paid by use, not at all", templateOf(of("AWS::IAM::Role")), {}],
])("counts %s", (_what, template, pieces) => {
  expect(piecesOf(template)).toEqual(pieces);
  expect([...monthlyCost([template]).unpriced]).toEqual([]);
});

test.each([
  ["a class nobody looked up", { DBInstanceClass: "db.m7g.large" }],
  ["a standby", { MultiAZ: true }],
  ["another engine", { Engine: "mysql" }],
  ["another storage", { StorageType: "io2" }],
])("an instance with %s is not priced, rather than priced wrongly", (_what, change) => {
  const { pieces, unpriced } = monthlyCost([
    templateOf(of("AWS::RDS::DBInstance", { ...SMALL, ...change })),
  ]);
  expect(pieces).toEqual([]);
  expect([...unpriced]).toEqual([["AWS::RDS::DBInstance", 1]]);
});

test("a type without a price is named with its number, and is in no sum", () => {
  const gateway = templateOf(of("AWS::EC2::NatGateway"));
  const cost = monthlyCost([
    templateOf(of("AWS::EC2::NatGateway"), of("AWS::SQS::Queue")),
    gateway,
  ]);
  expect(costTable(cost)).toMatch(/^in all +\$0\.00$/m);
  expect(costTable(cost)).toContain("Not priced here:\n  2 × AWS::EC2::NatGateway\n");
});

test("the table's sum is that of its lines, to the cent", () => {
  const cost = monthlyCost([
    templateOf(of("AWS::RDS::DBInstance", { ...SMALL, AllocatedStorage: "21" })),
    templateOf(endpoint("a")),
  ]);
  const lines = costTable(cost).split("\n").slice(0, 5);
  expect(lines).toEqual([
    "what the template holds        number    each  a month",
    "RDS PostgreSQL, db.t4g.micro        1  $11.68   $11.68",
    "interface endpoints, per zone       1   $7.30    $7.30",
    "GB of gp3 storage                  21  $0.115    $2.42",
    "in all                                          $21.40",
  ]);
});

test("every type that a stack of ours may hold has a price, a use, or is known to be free", () => {
  const topicArn = "arn:aws:sns:eu-west-1:111122223333:on-call";
  const everything = { ...shipped, alarms: { topicArn }, dashboard: true };
  const template = { Resources: resourcesOf(bench.stack(everything)) };
  expect([...monthlyCost([template]).unpriced]).toEqual([]);
  expect(piecesOf(template)).toEqual({
    "interface endpoints, per zone": [4, 2_920],
    "RDS PostgreSQL, db.t4g.micro": [1, 1_168],
    dashboards: [1, 300],
    "GB of gp3 storage": [20, 230],
    "metrics in alarms": [36, 360],
    secrets: [6, 240],
    "metrics of the sweep": [8, 240],
    "metrics of rotated secrets": [5, 150],
    "pollers of queues": [5, 26],
  });
});

test("what the documentation shows is what npm run synth prints", async () => {
  const template = readFileSync(join(await shippedAssembly(), "Mayfly.template.json"), "utf8");
  const printed = costTable(monthlyCost([JSON.parse(template)]));
  expect(page("docs/deploying.md")).toContain(`\n\`\`\`\n${printed}\n\`\`\`\n`);
  const [, total] = /about (\d+) dollars a month/.exec(printed) ?? [];
  expect(page("README.md").replaceAll("\n", " ")).toContain(`about $${total} a month`);
});
