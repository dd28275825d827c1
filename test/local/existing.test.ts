import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import pg from "pg";
import { afterAll, describe, expect, test } from "vitest";
import {
  type SynthesizedStack,
  synthesizeConfigured,
} from "../../local/cloudformation/synthesize.ts";
import {
  type PreparedConfiguration,
  prepareConfiguration,
  type SchemaFile,
} from "../../local/existing/prepare-configuration.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { host, role, sandbox } from "../config/sample-config.ts";
import { clientsOf, invoke } from "./clients.ts";

const scratch = tempFolder("existing-test");
afterAll(scratch.remove);

const ACCOUNT = "111122223333";
const secretArn = (end: string) => `arn:aws:secretsmanager:eu-central-1:${ACCOUNT}:secret:${end}`;
const reporting = `arn:aws:iam::${ACCOUNT}:role/reporting`;

let files = 0;
function written(name: string, text: string): string {
  const folder = join(scratch.path, String(files++));
  mkdirSync(folder);
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}
const configured = (databases: object, consumers: object = {}, more: object = {}): string =>
  written(
    "mayfly.config.ts",
    `export default ${JSON.stringify({ databases, consumers, ...more })};`,
  );

const DUMP = String.raw`
\restrict token
select pg_catalog.set_config('search_path', '', false);
create schema shop;
create table shop.items (id bigint primary key);
alter table shop.items owner to app_owner;
insert into shop.items values (7);
\unrestrict token
`;

const endings: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of endings.reverse()) await end();
});

interface Running {
  readonly runner: Runner;
  readonly prepared: PreparedConfiguration;
}

async function run(config: string, schemas: readonly SchemaFile[]): Promise<Running> {
  const prepared: PreparedConfiguration = await prepareConfiguration({
    config,
    schemas,
    onDeath: () => undefined,
  });
  endings.push(() => prepared.stop());
  const { accountId, region, existing, configFile } = prepared;
  const assembly: SynthesizedStack = await synthesizeConfigured(undefined, configFile);
  endings.push(assembly.remove);
  const runner = await startRunner({
    assembly: assembly.folder,
    existing,
    ...(accountId !== undefined && { accountId }),
    ...(region !== undefined && { region }),
  });
  endings.push(() => runner.stop());
  return { runner, prepared };
}

test("a configuration of a sandbox and an existing cluster runs, each with a server and a stack of its own", async () => {
  const orders = {
    ...host,
    cluster: "orders",
    adminSecret: secretArn("orders/admin-AbCdEf"),
    roles: { ro: { ...role, select: ["shop.*"] } },
    secrets: {
      reports: {
        strategy: "single-user",
        username: "reports",
        role: "ro",
        secretArn: secretArn("reports-GhIjKl"),
      },
    },
  };
  const { runner, prepared } = await run(
    configured(
      { trial: { ...sandbox, reserveConcurrency: false }, orders },
      {
        reporting: {
          roleArn: reporting,
          roles: ["orders/ro", "trial/ro"],
          secrets: ["orders/reports"],
        },
        other: { newRole: { assumedBy: "account" }, roles: ["orders/ro"] },
      },
      { nestedStacks: true },
    ),
    [{ database: "orders", file: written("schema.sql", DUMP) }],
  );
  const { outputs, region, accountId, caFile, existingRoles } = runner;
  expect([region, accountId, existingRoles]).toEqual(["eu-central-1", ACCOUNT, [reporting]]);
  const clients = clientsOf(runner, reporting);
  const ca = readFileSync(caFile, "utf8");
  const rows = async (login: Record<string, unknown>, sql: string): Promise<unknown> => {
    const { host: server, port, dbname, username, password } = login;
    const client = new pg.Client({
      host: String(server),
      port: Number(port),
      database: String(dbname),
      user: String(username),
      password: String(password),
      ssl: { ca },
    });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };

  const lease = await invoke(clients, `${outputs.OrdersIssuerArn}:reporting--ro`, {
    action: "issue",
  });
  expect(await rows(lease.answer ?? {}, "select id from shop.items")).toEqual([{ id: "7" }]);
  const other = await invoke(clients, `${outputs.TrialIssuerArn}:reporting--ro`, {
    action: "issue",
  });
  expect(other.answer?.port).not.toBe(lease.answer?.port);
  expect(await rows(other.answer ?? {}, "select count(*) from orders")).toEqual([{ count: "5" }]);

  await runner.rotations.finished();
  const ask = new GetSecretValueCommand({ SecretId: outputs.OrdersReportsSecretArn });
  const secret = JSON.parse((await clients.secrets.send(ask)).SecretString ?? "{}");
  expect(secret).toMatchObject({ username: "reports", port: lease.answer?.port });
  expect(await rows(secret, "select id from shop.items")).toEqual([{ id: "7" }]);

  // the cluster's reader is found by asking RDS, and looked at
  const { answer } = await invoke(clients, `${outputs.OrdersIssuerArn}:reporting--ro`, {
    action: "revoke",
    leaseId: lease.answer?.leaseId,
  });
  expect(answer).toMatchObject({ state: "revoked", servers: [{}, { latchSeen: true }] });
  const calls = runner.calls.filter(({ action }) => action === "rds:DescribeDBClusters");
  expect(calls.map(({ decision }) => decision)).toContain("Allowed");

  // the aliases of both are in nested stacks, and each denies everyone else
  const others = `${outputs.OrdersIssuerArn}:other--ro`;
  await expect(invoke(clients, others, { action: "issue" })).rejects.toThrow(
    /explicit deny|not authorized/,
  );

  // the server stays when the stacks are deleted
  await runner.delete();
  const [cluster] = prepared.existing;
  const client = new pg.Client(cluster?.server.superuser());
  await client.connect();
  const left = await client.query("select rolname from pg_roles where rolname like 'mf\\_%'");
  await client.end();
  expect(left.rows).toEqual([]);
}, 240_000);

describe("is refused before any server is started", () => {
  const refusal = (config: string, schemas: readonly SchemaFile[] = []) =>
    prepareConfiguration({ config, schemas, onDeath: () => undefined });
  test.each<[string, object, SchemaFile[], string]>([
    [
      "a schema of a database that the server does not have",
      { orders: host },
      [{ database: "orders", dbname: "archive", file: "a.sql" }],
      "--schema orders/archive: orders has the databases orders",
    ],
    [
      "one administrator's secret for two databases",
      { orders: host, billing: host },
      [],
      "databases orders and billing have one adminSecret, db/admin;",
    ],
    [
      "two accounts",
      {
        orders: { ...host, adminSecret: secretArn("a-AbCdEf") },
        billing: { ...host, adminSecret: secretArn("b-AbCdEf").replace(ACCOUNT, "444455556666") },
      },
      [],
      "name more than one account: 111122223333, 444455556666",
    ],
  ])("%s", async (_, databases, schemas, words) => {
    await expect(refusal(configured(databases), schemas)).rejects.toThrow(words);
  });

  test("a schema with what only psql can do, and nothing stays behind", async () => {
    const file = written("schema.sql", "select 1;\n\\connect other\n");
    await expect(
      refusal(configured({ orders: host }), [{ database: "orders", file }]),
    ).rejects.toThrow(`${file}:2 has a command of psql`);
  });

  test("a schema that PostgreSQL does not take, with its line", async () => {
    const file = written("schema.sql", "select 1;\nselect nothing;\n");
    await expect(
      refusal(configured({ orders: host }), [{ database: "orders", file }]),
    ).rejects.toThrow(`${file}:2 failed: column "nothing" does not exist`);
  });
});

test("a host that is not this machine is never synthesized", async () => {
  await expect(synthesizeConfigured(undefined, configured({ orders: host }))).rejects.toThrow(
    "database orders has the host db.example.com, which is not this machine",
  );
});
