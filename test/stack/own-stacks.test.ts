import { join } from "node:path";
import { App, SecretValue } from "aws-cdk-lib";
import { Secret } from "aws-cdk-lib/aws-secretsmanager";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type MayflyConfig, parseConfig } from "../../config/config.ts";
import type { Credential } from "../../core/leases/credential.ts";
import { MayflyStack } from "../../lib/index.ts";
import { type EmbeddedPostgres, startPostgres } from "../../local/postgres/postgres.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { host, role } from "../config/sample-config.ts";
import { type Clients, clientsOf, invoke } from "../local/clients.ts";

const PASSWORD = "a-password-of-this-test";
const folder = tempFolder("own-stacks");
let billing: EmbeddedPostgres;
let runner: Runner;
let app: Clients;

/** A sandbox in the first stack, and a server that exists in a stack of its own. */
const configOf = ({ port, ca }: EmbeddedPostgres): MayflyConfig => ({
  databases: {
    orders: { sandbox: true, databases: ["orders"], owner: "app_owner", roles: { ro: role } },
    billing: {
      ...host,
      host: "127.0.0.1",
      port,
      ca,
      adminSecret: "billing-administrator",
      databases: ["billing"],
      owner: "master",
    },
  },
  consumers: {
    app: { newRole: { assumedBy: "account" }, roles: ["orders/ro", "billing/ro"] },
    other: { newRole: { assumedBy: "account" }, roles: ["billing/ro"] },
  },
  nestedStacks: true,
});

function synthesize(config: MayflyConfig): string {
  const app = new App({ outdir: join(folder.path, "cdk.out") });
  const stack = new MayflyStack(app, "Mayfly", { config: parseConfig(config) });
  const administrator = { username: "master", password: PASSWORD, dbname: "billing" };
  new Secret(stack, "Administrator", {
    secretName: "billing-administrator",
    secretStringValue: SecretValue.unsafePlainText(JSON.stringify(administrator)),
  });
  return app.synth().directory;
}

beforeAll(async () => {
  billing = await startPostgres({
    masterUsername: "master",
    masterPassword: PASSWORD,
    database: "billing",
    forceTls: true,
    onDeath: () => {},
  });
  runner = await startRunner({ assembly: synthesize(configOf(billing)) });
  app = clientsOf(runner, "mayfly-Mayfly-app-eu-west-1");
});
afterAll(async () => {
  await runner?.stop();
  await billing?.stop();
  folder.remove();
});

const issue = (clients: Clients, database: "Orders" | "Billing", alias: string) =>
  invoke(clients, `${runner.outputs[`${database}IssuerArn`]}:${alias}`, { action: "issue" });

async function logIn({ answer }: Awaited<ReturnType<typeof issue>>, ca: string): Promise<string> {
  const { host: server, port, dbname, username, password } = answer as unknown as Credential;
  const ssl = { ca };
  const client = new pg.Client({
    host: server,
    port,
    database: dbname,
    user: username,
    password,
    ssl,
  });
  await client.connect();
  const { rows } = await client.query("select current_database() as name");
  await client.end();
  return rows[0].name;
}

test("a consumer gets a user of each database, from aliases in nested stacks of two stacks", async () => {
  expect(await logIn(await issue(app, "Orders", "app--ro"), runner.database.ca)).toBe("orders");
  expect(await logIn(await issue(app, "Billing", "app--ro"), billing.ca)).toBe("billing");
});

test("another consumer's alias is denied, also in another stack", async () => {
  await expect(issue(app, "Billing", "other--ro")).rejects.toThrow(/explicit deny|not authorized/);
});

test("when the stacks are deleted, no role is left on a server that stays", async () => {
  await runner.delete();
  const client = new pg.Client(billing.superuser("postgres"));
  await client.connect();
  const { rows } = await client.query("select rolname from pg_roles where rolname like 'mf\\_%'");
  await client.end();
  expect(rows).toEqual([]);
});
