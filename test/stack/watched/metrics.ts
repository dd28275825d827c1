import { DeleteScheduleCommand, ListSchedulesCommand } from "@aws-sdk/client-scheduler";
import { beforeAll, describe, expect, test } from "vitest";
import { METRICS } from "../../../core/metric.ts";
import { LOG_QUERIES } from "../../../lib/index.ts";
import { ofType, type Resources } from "../../lib/synthesized.ts";
import { invoke } from "../../local/clients.ts";
import { eventually } from "../../support/eventually.ts";
import {
  metricKey,
  metricsInLine,
  metricsOfAlarm,
  metricsOfWidget,
  widgetsOf,
} from "../../support/named-metrics.ts";
import { shippedSecret } from "../../support/shipped-secrets.ts";
import { type WatchedStack, watched } from "./stack.ts";

let stack: WatchedStack;
let resources: Resources;

async function deleteSchedules(username: string): Promise<void> {
  const { scheduler } = stack.administrator;
  const { Schedules = [] } = await scheduler.send(
    new ListSchedulesCommand({ NamePrefix: username.slice(-12) }),
  );
  for (const { Name, GroupName } of Schedules)
    await scheduler.send(new DeleteScheduleCommand({ Name, GroupName }));
}

const sweep = () =>
  invoke(stack.administrator, stack.operatorArn.replace(/operator$/, "sweeper"), {
    action: "sweep",
  });

/** Everything that can happen to leases, at least once. */
async function liveThroughEverything(): Promise<void> {
  const { leaseId } = await stack.issue({ idempotencyKey: "twice" });
  await stack.issue({ idempotencyKey: "twice" });
  await stack.ask({ action: "renew", leaseId, ttlSeconds: 600 });
  await stack.ask({ action: "revoke", leaseId });
  await stack.ask({ action: "hand over" });

  const unscheduled = await stack.issue();
  await deleteSchedules(unscheduled.username);
  await stack.operate({ action: "sweep" });
  await sweep();

  const owner = await stack.issue();
  await stack.superuser(`create table kept (); alter table kept owner to "${owner.username}"`);
  await stack.ask({ action: "revoke", leaseId: owner.leaseId });
  await sweep();

  const expired = await stack.issue();
  await deleteSchedules(expired.username);
  await stack.superuser(`alter role "${expired.username}" valid until '2020-01-01T00:00:00Z'`);

  const dropped = await stack.issue();
  const client = await stack.logIn(dropped);
  await stack.superuser(`drop role "${dropped.username}"`);
  await sweep();
  await client.end().catch(() => {});

  await stack.superuser("update mayfly.stack set instance = 'db-ORIGINAL'", "mayfly");
  await sweep();

  await exhaust();
  await stack.runner.database.stop();
  const { answer } = await stack.ask({ action: "issue" });
  expect(answer).toMatchObject({ errorType: "DatabaseUnavailableError" });
}

/** All locks of the server are one session's; then its own login has no connection left. */
async function exhaust(): Promise<void> {
  const session = await stack.logIn(await stack.issue());
  const everything = "select count(pg_advisory_lock(n)) from generate_series(1, 200000) n";
  await expect(session.query(everything)).rejects.toMatchObject({ code: "53200" });
  const { answer: full } = await stack.ask({ action: "issue" });
  expect(full).toMatchObject({ errorMessage: expect.stringContaining("53200") });
  await sweep();
  await stack.operate({ action: "converge" });
  await shippedSecret(stack, "reports").rotate();
  await eventually(() => writersOf("ServerOutOfMemory").has("rotate-reports"));
  await session.end();
  const logins = "from pg_roles l where l.rolname ~ '^mf_[a-z2-7]{4}_login_'";
  await eventually(() =>
    stack.superuser(`do $$ declare r record; begin for r in select l.rolname ${logins} loop
      execute format('alter role %I connection limit 0', r.rolname); end loop; end $$`),
  );
  await stack.superuser(
    `select pg_terminate_backend(a.pid) from pg_stat_activity a where a.usename in (select l.rolname ${logins})`,
  );
  const { answer: refused } = await stack.ask({ action: "issue" });
  expect(refused).toMatchObject({ errorMessage: expect.stringContaining("53300") });
}

/** The functions that have written a metric. */
const writersOf = (metric: string): ReadonlySet<string> =>
  new Set(
    stack.runner
      .logs()
      .filter(({ line }) => metricsInLine(line).some(({ name }) => name === metric))
      .map(({ functionName }) => functionName.replace(/^mayfly-[^-]+-[a-z2-7]{4}-/, "")),
  );

describe("after everything that can happen to leases", () => {
  beforeAll(async () => {
    stack = await watched();
    resources = stack.resources;
    await liveThroughEverything();
  });

  test("a server without room is counted by whoever meets it: also by sweeps that fail", () => {
    expect([...writersOf("ServerOutOfMemory")].sort()).toEqual([
      "issuer",
      "provisioner",
      "rotate-reports",
      "sweeper",
    ]);
    expect(writersOf("ServerOutOfConnections")).toContain("issuer");
  });

  test("every metric is written by a function, and alarms and widgets name it as it is written", () => {
    const lines = stack.runner.logs().flatMap(({ line }) => metricsInLine(line));
    const written = new Set(lines.map(metricKey));
    const named = [
      ...ofType(resources, "AWS::CloudWatch::Alarm").flatMap(([, { Properties }]) =>
        metricsOfAlarm(Properties),
      ),
      ...ofType(resources, "AWS::CloudWatch::Dashboard").flatMap(([, { Properties }]) =>
        widgetsOf(Properties).flatMap(metricsOfWidget),
      ),
    ].filter(({ namespace }) => !namespace.startsWith("AWS/"));
    expect(new Set(named.map(({ name }) => name))).toEqual(new Set(METRICS));
    expect(named.map(metricKey).filter((key) => !written.has(key))).toEqual([]);
    expect(new Set(lines.map(({ name }) => name))).toEqual(new Set(METRICS));
  });

  /** The log lines that are JSON, with nested fields named as CloudWatch Logs Insights names them. */
  const logged = (): ReadonlyMap<string, unknown>[] =>
    stack.runner
      .logs()
      .filter(({ line }) => line.startsWith("{"))
      .map(({ line }) => new Map(flat(JSON.parse(line) as object)));

  const flat = (value: object, path = ""): [string, unknown][] =>
    Object.entries(value).flatMap(([key, inner]): [string, unknown][] =>
      typeof inner === "object" && inner !== null
        ? flat(inner, `${path}${key}.`)
        : [[path + key, inner]],
    );

  test("the saved queries ask for fields that the functions write", () => {
    const known = new Set(logged().flatMap((line) => [...line.keys()]));
    for (const query of Object.values(LOG_QUERIES)) {
      const [, list = ""] = /^fields (.+)$/m.exec(query) ?? [];
      const [, filter = ""] = /^\| filter (.+)$/m.exec(query) ?? [];
      const compared = [...filter.matchAll(/([\w.]+) (?:=|like|>)/g)].map(([, name = ""]) => name);
      const fields = [...list.split(", ").filter((name) => !name.startsWith("@")), ...compared];
      expect(fields.length).toBeGreaterThan(4);
      expect(fields.filter((field) => !known.has(field))).toEqual([]);
    }
  });

  test("the lines of a consumer are found by its name, its leases or its alias, all of them", () => {
    const consumer = "user-service";
    // a request may also be a sweep, an operator's or a rotation
    const audited = logged().filter((line) => {
      const [message, name] = [line.get("message"), line.get("function_name")].map(String);
      return (
        message?.startsWith("lease.") === true ||
        /^request\..* \S+-issuer$/.test(`${message} ${name}`)
      );
    });
    expect(audited.length).toBeGreaterThan(10);
    const missed = audited.filter((line) => {
      const [leaseId, arn] = [line.get("leaseId"), line.get("function_arn")].map(String);
      return !(
        line.get("consumer") === consumer ||
        new RegExp(`_${consumer}_[a-z0-9]+$`).test(leaseId ?? "") ||
        arn?.includes(`:${consumer}--`)
      );
    });
    expect(missed).toEqual([]);
  });

  test("a revocation that was late is found by its lag, and the dashboard tells holders by name", () => {
    const late = logged().filter((line) => Number(line.get("receipt.lagSeconds")) > 60);
    expect(late.map((line) => line.get("message"))).toContain("lease.revoked");
    const [[, { Properties }] = ["", { Properties: {} }]] = ofType(
      resources,
      "AWS::CloudWatch::Dashboard",
    );
    const queries = widgetsOf(Properties).map(({ properties }) => String(properties.query));
    const [, pattern = ""] = /\| parse leaseId \/(.+)\/\n/.exec(queries.join("\n")) ?? [];
    expect(new RegExp(pattern).exec(String(late[0]?.get("leaseId")))?.groups).toMatchObject({
      holder: "user-service",
      access: "readonly",
    });
  });
});
