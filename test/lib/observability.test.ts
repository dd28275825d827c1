import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Duration, Stack } from "aws-cdk-lib";
import { Topic } from "aws-cdk-lib/aws-sns";
import { afterAll, expect, test } from "vitest";
import { secretDimensions } from "../../core/metric.ts";
import { LOG_QUERIES, RotationSchedule } from "../../lib/index.ts";
import shipped from "../../mayfly.config.ts";
import { metricsOfWidget, widgetsOf } from "../support/named-metrics.ts";
import { Resolved } from "./resolved.ts";
import {
  ofType,
  only,
  READONLY,
  type Resources,
  resourcesOf,
  shippedStack,
  Workbench,
} from "./synthesized.ts";

const bench = new Workbench();
afterAll(() => bench.remove());

const TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call";
const root = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");

const LATE = {
  strategy: "single-user",
  username: "late",
  role: "readonly",
  schedule: RotationSchedule.every(Duration.days(10)),
} as const;

/** A database with everything to watch it by. Roles are added last, as they may be. */
function watched(): Resources {
  const database = bench.database();
  database.addAlarms({ topic: Topic.fromTopicArn(database, "Topic", TOPIC) });
  database.addDashboard();
  database.addLogQueries();
  database.shipAuditTo("Siem", { bind: () => ({ arn: "arn:aws:firehose:::siem" }) });
  database.addRotatedSecret("late", LATE);
  database.addRole("readonly", { ...READONLY, maxLeases: 10 });
  database.addRole("readwrite", { ...READONLY, maxLeases: 3 });
  return resourcesOf(Stack.of(database));
}

const resources = watched();
const alarms = new Map(
  ofType(resources, "AWS::CloudWatch::Alarm").map(([, { Properties }]) => [
    String(Properties.AlarmName).replace(/^mayfly-Team-[a-z2-7]{4}-/, ""),
    Properties,
  ]),
);

test.each([
  ["revocation-lag", 120, 1, "notBreaching"],
  ["overdue-leases", 0, 2, "notBreaching"],
  ["quarantine", 0, 3, "notBreaching"],
  ["unverified", 0, 3, "notBreaching"],
  ["stragglers", 0, 1, "notBreaching"],
  ["dead-letters", 0, 1, "notBreaching"],
  ["failed-revocations", 0, 1, "notBreaching"],
  ["revocations-waiting", 600, 1, "notBreaching"],
  ["schedules-failed", 0, 1, "notBreaching"],
  ["sweeper-silent", 0, 3, "breaching"],
  ["function-errors", 0, 1, "notBreaching"],
  ["provisioning-failed", 0, 1, "notBreaching"],
  ["issuer-errors", 50, 3, "notBreaching"],
  ["requests-failed", 0, 3, "notBreaching"],
  ["server-out-of-memory", 0, 1, "notBreaching"],
  ["server-out-of-connections", 0, 1, "notBreaching"],
  ["throttles", 0, 3, "notBreaching"],
  ["leases-near-limit", 11, 1, "notBreaching"], // 80 % of 13, rounded up
  ["foreign-roles", 0, 1, "notBreaching"],
  ["unknown-sessions", 0, 2, "notBreaching"],
  ["unknown-members", 0, 1, "notBreaching"],
  ["stray-objects", 0, 1, "notBreaching"],
  ["restored-server", 0, 1, "notBreaching"],
  ["rotation-errors-issuer", 0, 1, "notBreaching"],
  ["rotation-errors-janitor", 0, 1, "notBreaching"],
  ["rotation-errors-late", 0, 1, "notBreaching"],
  ["secret-age-issuer", 45 * 86_400, 2, "notBreaching"],
  ["secret-age-janitor", 45 * 86_400, 2, "notBreaching"],
  ["secret-age-late", 15 * 86_400, 2, "notBreaching"],
])("the alarm %s rings above %d, after %d periods; when nothing is measured: %s", (...row) => {
  const [name, Threshold, EvaluationPeriods, TreatMissingData] = row;
  expect(alarms.get(name)).toMatchObject({
    ComparisonOperator: "GreaterThanThreshold",
    Threshold,
    EvaluationPeriods,
    TreatMissingData,
    AlarmActions: [TOPIC],
    OKActions: [TOPIC],
  });
});

test("a secret's age is looked up by the very dimensions that the sweep writes", () => {
  expect(alarms.get("secret-age-late")).toMatchObject({
    Namespace: "Mayfly",
    MetricName: "SecretAgeSeconds",
    Statistic: "Maximum",
    Dimensions: expect.arrayContaining(
      Object.entries(secretDimensions("orders", "late")).map(([Name, Value]) => ({ Name, Value })),
    ),
  });
  const [rotator] = only(resources, "AWS::Lambda::Function", "secretlate");
  expect(JSON.stringify(alarms.get("rotation-errors-late"))).toContain(
    `{"Dimensions":[{"Name":"FunctionName","Value":{"Ref":"${rotator}"}}],"MetricName":"Errors"`,
  );
});

/** The page of an alarm: secrets share theirs. */
const pageOf = (alarm: string): string => alarm.replace(/^(rotation-errors|secret-age)-.+$/, "$1");

test("every alarm names its runbook, and every runbook is an alarm's", () => {
  for (const [name, { AlarmDescription }] of alarms) {
    const [, page = ""] =
      /Runbook: (docs\/runbooks\/\S+\.md)$/.exec(String(AlarmDescription)) ?? [];
    expect(page).toBe(`docs/runbooks/${pageOf(name)}.md`);
    for (const part of ["What it means", "What to look at", "What to do", "How to know it is over"])
      expect(read(page)).toContain(`\n## ${part}\n`);
  }
  const pages = readdirSync(join(root, "docs/runbooks")).filter((name) => name !== "README.md");
  const named = [...new Set([...alarms.keys()].map(pageOf)), "unsent-events"]; // which is there only with audit events
  expect(pages.sort()).toEqual(named.map((name) => `${name}.md`).sort());
  for (const name of named) expect(read("docs/runbooks/README.md")).toContain(`(${name}.md)`);
});

const LOGS = [
  "FunctionsIssuer",
  "FunctionsRevoker",
  "FunctionsSweeper",
  "FunctionsOperator",
  "ProvisioningProvisioner",
].map((word) => ({ Ref: only(resources, "AWS::Logs::LogGroup", word)[0] }));

test("the saved queries read the logs of all functions, and stand in the documentation", () => {
  const saved = ofType(resources, "AWS::Logs::QueryDefinition").map(([, each]) => each.Properties);
  expect(saved).toHaveLength(Object.keys(LOG_QUERIES).length);
  for (const { Name, LogGroupNames } of saved) {
    expect(LogGroupNames).toEqual(LOGS);
    expect(Name).toMatch(/^mayfly-Team-[a-z2-7]{4}-queries\/[a-z0-9 ]+$/);
  }
  const page = read("docs/audit.md");
  for (const [name, query] of Object.entries(LOG_QUERIES))
    expect(page).toContain(`# ${name}\n${query}\n`);
});

test("the dashboard shows who holds what, the promise and its limit, and the alarms", () => {
  const [, { Properties }] = only(resources, "AWS::CloudWatch::Dashboard");
  const widgets = widgetsOf(Properties);
  expect(widgets.filter(({ type }) => type === "alarm")[0]?.properties.alarms).toHaveLength(27);
  expect(widgets.flatMap(metricsOfWidget).length).toBeGreaterThan(20);
  const annotations = widgets.map(({ properties }) => JSON.stringify(properties.annotations));
  expect(annotations.filter((text) => text?.includes('"value":13'))).toHaveLength(1);
  const logs = widgets.filter(({ type }) => type === "log");
  expect(logs).toHaveLength(2);
  for (const { properties } of logs)
    for (const { Ref } of LOGS) expect(properties.query).toContain(Ref);
});

test("a dashboard without alarms shows none", () => {
  const database = bench.database();
  database.addRole("readonly", READONLY);
  database.addDashboard();
  const found = resourcesOf(Stack.of(database));
  const [, { Properties }] = only(found, "AWS::CloudWatch::Dashboard");
  expect(widgetsOf(Properties).filter(({ type }) => type === "alarm")).toEqual([]);
});

/** Whether a line passes `{ $.message = "a*" || … }`, the only kind of filter there is. */
function passes(filter: unknown, line: { readonly message: string }): boolean {
  const starts = [...String(filter).matchAll(/\$\.message = "([^"*]+)\*"/g)];
  return starts.some(([, start = "?"]) => line.message.startsWith(start));
}

test("every audit line of every function is shipped, and nothing else is", () => {
  const filters = ofType(resources, "AWS::Logs::SubscriptionFilter").map(([, each]) => each);
  const rotators = ["LoginRotation", "JanitorRotation", "secretlate"].map((word) => ({
    Ref: only(resources, "AWS::Logs::LogGroup", word)[0],
  }));
  expect(filters.map(({ Properties }) => Properties.LogGroupName)).toEqual([...LOGS, ...rotators]);
  const [, union = ""] = /readonly event:([^;]+);/.exec(read("core/audit.ts")) ?? [];
  const events = [...union.matchAll(/"([^"]+)"/g)].map(([, event = ""]) => event);
  expect(events.length).toBeGreaterThan(8);
  for (const { Properties } of filters) {
    expect(Properties.DestinationArn).toBe("arn:aws:firehose:::siem");
    for (const message of events) expect(passes(Properties.FilterPattern, { message })).toBe(true);
    expect(passes(Properties.FilterPattern, { message: "unexpected failure" })).toBe(false);
  }
});

test("audit lines can go to two places", () => {
  const database = bench.database();
  database.addRole("readonly", READONLY);
  const to = (name: string) => ({ bind: () => ({ arn: `arn:aws:firehose:::${name}` }) });
  database.shipAuditTo("Siem", to("siem"));
  database.shipAuditTo("Archive", to("archive"));
  const found = resourcesOf(Stack.of(database));
  expect(ofType(found, "AWS::Logs::SubscriptionFilter")).toHaveLength(14);
  expect(() => database.shipAuditTo("Third", to("third"))).toThrow(
    "audit lines of orders go to 2 places already, and CloudWatch allows a log group no more",
  );
});

test("audit events are read from every log, sent to one bus, and watched", () => {
  const busArn = "arn:aws:events:eu-west-1:111122223333:event-bus/audit";
  const topicArn = "arn:aws:sns:eu-west-1:111122223333:on-call";
  const config = { ...shipped, auditEvents: { busArn }, alarms: { topicArn } };
  const found = resourcesOf(bench.stack(config));
  expect(ofType(found, "AWS::Logs::SubscriptionFilter")).toHaveLength(10);
  const [forwarder, { Properties }] = only(found, "AWS::Lambda::Function", "Forwarder");
  expect(Properties).not.toHaveProperty("VpcConfig");
  expect(Properties.Environment).toMatchObject({ Variables: { EVENT_BUS_ARN: busArn } });
  const statements = new Resolved(found)
    .identityPolicies("AuditEventsForwarderRole")
    .flatMap(({ policy }) => (policy as { Statement: { Action: unknown }[] }).Statement);
  expect(statements.map(({ Action }) => Action)).toEqual([
    ["logs:CreateLogStream", "logs:PutLogEvents"],
    "events:PutEvents",
    "sqs:SendMessage",
  ]);
  const permissions = ofType(found, "AWS::Lambda::Permission");
  const ofLogs = permissions.filter(([id]) => !id.includes("Rotation"));
  expect(ofLogs.length).toBeGreaterThan(0);
  for (const [, permission] of ofLogs)
    expect(permission.Properties).toMatchObject({
      Principal: "logs.amazonaws.com",
      FunctionName: { "Fn::GetAtt": [forwarder, "Arn"] },
      SourceArn: expect.anything(),
    });
  const alarms = ofType(found, "AWS::CloudWatch::Alarm").map(([, each]) => each.Properties);
  expect(alarms.map(({ AlarmName }) => String(AlarmName)).join()).toContain("unsent-events");
});

test("the shipped stack has the queries, which are free, and nothing that costs", () => {
  const found = resourcesOf(shippedStack());
  expect(ofType(found, "AWS::Logs::QueryDefinition")).toHaveLength(3);
  for (const type of ["CloudWatch::Alarm", "CloudWatch::Dashboard", "Logs::SubscriptionFilter"])
    expect(ofType(found, `AWS::${type}`)).toEqual([]);
});

test("watching changes no function's permissions", () => {
  const bare = bench.database();
  bare.addRole("readonly", { ...READONLY, maxLeases: 10 });
  bare.addRole("readwrite", { ...READONLY, maxLeases: 3 });
  bare.addRotatedSecret("late", LATE);
  const without = resourcesOf(Stack.of(bare));
  const policies = (found: Resources) => {
    const resolved = new Resolved(found);
    return ["Issuer", "Revoker", "Sweeper", "Operator"].map((word) =>
      resolved.identityPolicies(`${word}Role`),
    );
  };
  expect(policies(resources)).toEqual(policies(without));
});
