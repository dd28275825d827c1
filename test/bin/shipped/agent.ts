import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { mayflyProcess, type Running, shellOf, startMayfly } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
let workload: Record<string, string>;
let folder: string;
const started: Running[] = [];

beforeAll(async () => {
  stack = await sharedShipped();
  await stack.runner.rotations.finished();
  const { NODE_COMPILE_CACHE = "" } = process.env;
  workload = {
    ...shellOf(stack.runner, stack.runner.outputs.UserServiceRoleArn ?? ""),
    NODE_COMPILE_CACHE,
    MAYFLY_LEASE_ORDERS_READONLY: `${stack.issuerArn}:user-service--readonly`,
  };
  folder = tempFolder("agent").path;
});
afterAll(() => {
  for (const each of started) each.signal("SIGKILL");
});

function start(...args: string[]): Running {
  const ca = stack.runner.caFile ?? "";
  const running = startMayfly(["agent", "orders/readonly", "--ca", ca, ...args], workload);
  started.push(running);
  return running;
}

interface Row {
  readonly username: string;
  readonly password: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
}
const rowIn = (file: string): Row => JSON.parse(readFileSync(file, "utf8")) as Row;

const rolesOf = async (username: string): Promise<number> =>
  (
    await stack.superuser(
      // names of one key differ in what stands at the end
      `select 1 from pg_roles where rolname like '${username.slice(0, -14).replaceAll("_", "\\_")}%'`,
    )
  ).length;

async function userIn(file: string): Promise<string> {
  const { username, password, host, port, dbname } = rowIn(file);
  const ssl = { ca: stack.runner.database.ca };
  const client = new pg.Client({ user: username, password, host, port, database: dbname, ssl });
  await client.connect();
  const { rows } = await client.query<{ name: string }>("select current_user as name");
  await client.end();
  return rows[0]?.name ?? "";
}

describe("agent", () => {
  test("serves a lease by file and proxy, finds it after SIGKILL, and revokes it at SIGTERM", async () => {
    const [file, state, token] = ["db.json", "state", "token"].map((name) => join(folder, name));
    if (file === undefined || state === undefined || token === undefined) return;
    const args = [
      "--private-loopback",
      "--json",
      ...Object.entries({ file: `json:${file}`, state, port: "0", health: "0" }).flatMap(
        ([name, value]) => [`--${name}`, value],
      ),
      "--health-token",
      token,
    ];
    const first = start(...args);
    await eventually(() => existsSync(file));
    const { username, password } = rowIn(file);
    expect(await userIn(file)).toBe(username);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    first.signal("SIGKILL");
    await first.ended;

    const second = start(...args);
    const told = () =>
      second.text.err
        .trim()
        .split("\n")
        .filter((line) => line.startsWith("{"))
        .map((line) => JSON.parse(line) as { event: string; what: string; at: string });
    const portOf = (what: string): number =>
      Number(/port (\d+)/.exec(told().find((each) => each.what === what)?.at ?? "")?.[1]);
    await eventually(() => portOf("health") > 0 && portOf("the proxy") > 0);
    const authorization = `Bearer ${readFileSync(token, "utf8").trim()}`;
    const ask = (path: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${portOf("health")}${path}`, { headers: { authorization } });
    await eventually(async () => (await ask("/readyz")).status === 200);
    const client = new pg.Client({ host: "127.0.0.1", port: portOf("the proxy"), ssl: false });
    client.on("error", () => {}); // the agent ends it
    await client.connect();
    const { rows } = await client.query("select current_user as username");
    expect(rows).toEqual([{ username }]);
    expect(rowIn(file).username).toBe(username);
    expect(await rolesOf(username)).toBe(1);
    const text = await (await ask("/metrics")).text();
    expect(text).toContain('\nmayfly_proxy_sessions{login="orders/readonly"} 1\n');
    expect(text).toMatch(/\nmayfly_lease_left_seconds\{login="orders\/readonly"\} \d{3,}/);
    expect(text).toContain(`\nmayfly_file_current{path="${file}"} 1\n`);
    second.signal("SIGINT");
    expect(await second.ended).toBe(0);
    expect(await rolesOf(username)).toBe(0);
    expect(first.text.err + second.text.err).not.toContain(password);
    expect(readFileSync(join(state, "keys.json"), "utf8")).toBe('{"keys":{}}\n');
  });

  test("--once writes the file and leaves the lease; what is denied ends it with words", async () => {
    const file = join(folder, "once.json");
    const once = start("--once", "--file", `json:${file}`);
    expect(await once.ended).toBe(0);
    expect(await userIn(file)).toBe(rowIn(file).username);
    await stack.operate({ action: "revoke", leaseId: `orders/readonly/${rowIn(file).username}` });
    const config = join(folder, "agent.json");
    const arn = `${stack.issuerArn}:reporting--readonly`;
    const files = [{ path: join(folder, "no"), from: "theirs", format: "env" }];
    writeFileSync(config, JSON.stringify({ leases: { theirs: { arn } }, files }));
    const denied = await mayflyProcess(["agent", "--config", config, "--once"], workload);
    expect(denied.status).toBe(77);
    expect(denied.err).toMatch(/^mayfly: theirs: AWS denies .*--readonly.*or the name is wrong\n$/);
  });
});
