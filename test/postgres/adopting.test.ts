import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseConfiguration } from "../../client/agent/parse-configuration.ts";
import type { Keeper } from "../../client/keeper/keeper.ts";
import { keepLease } from "../../client/keeper/lease-keeper.ts";
import { keepSecret } from "../../client/keeper/secret-keeper.ts";
import type { Invoke } from "../../client/keeper/sources/invoke.ts";
import { issuerBy } from "../../client/keeper/sources/issuer.ts";
import { type Proxy as RunningProxy, startProxy } from "../../client/proxy/proxy.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../client/time.ts";
import { parseConfig } from "../../config/config.ts";
import { modelOf, toPlan } from "../../config/plan.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { viewWatched } from "../../core/leases/operation/watch.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { majorOf } from "../support/evidence.ts";
import { type Alias, type Issuer, issuerOn, sqlStateFrom } from "../support/leases.ts";
import { blocksOf, read } from "../support/pages.ts";
import { runAs } from "../support/provisioned.ts";
import { type RotationScene, rotationScene } from "../support/rotations.ts";

const PAGE = "docs/adopting.md";
const ALIAS: Alias = "user-service--readwrite";

let own: OwnServer;
let scene: RotationScene;
let user: string;
let owner: string;
let lease: Issuer;
let plan: ProvisionPlan;
let viaSecret: Opened;
let viaLease: Opened;
const folder = tempFolder("adopting");

/** A proxy of the agent, and what holds its login. */
interface Opened {
  readonly keeper: Keeper;
  readonly proxy: RunningProxy;
}

beforeAll(async () => {
  own = await startCluster(["autovacuum=off"]);
  const { cluster } = own;
  scene = await rotationScene("single-user", { cluster });
  const { test: database, loginOf } = scene;
  user = loginOf("AWSCURRENT").username;
  owner = `new_owner_${database.tag}`;
  // an application as they are: it owns its tables, and depends on its name
  await runAs(
    database.superuser(),
    `alter table public.orders owner to ${user};
     create schema ${user} authorization ${user}; create table ${user}.carts (id serial, note text);
     alter table ${user}.carts owner to ${user};
     create function public.total() returns int language sql as 'select 1';
     revoke execute on function public.total() from public; grant execute on function public.total() to ${user};
     alter role ${user} set statement_timeout = '30s'; alter role ${user} connection limit 50;
     create table public.mine (who name default current_user);
     alter table public.mine owner to ${user}; alter table public.mine enable row level security;
     create policy own on public.mine using (who = current_user)`,
  );
  await runAs(
    database.superuser(),
    `alter default privileges for role ${database.admin().username} in schema public
       grant select on tables to ${user}`,
  );
});
afterAll(async () => {
  for (const { keeper, proxy } of [viaSecret, viaLease].filter((each) => each !== undefined)) {
    await proxy.close();
    await keeper[Symbol.asyncDispose]();
  }
  await lease?.close();
  await own?.server.stop();
  folder.remove();
});

/** The names of this test instead of the page's. */
const here = (text: string): string =>
  text
    .replaceAll("orders_app", user)
    .replaceAll("app_owner", owner)
    .replaceAll("mf_qdoi_", `mf_${scene.test.tag}_`);

const used = new Set<string>();

/** The one block of SQL that begins so. */
function printed(start: string): string {
  const found = blocksOf(PAGE).filter(
    ({ language, text }) => language === "sql" && text.startsWith(start),
  );
  const [block] = found;
  if (block === undefined || found.length > 1)
    throw new Error(`${PAGE} has ${found.length} blocks of SQL that begin with ${start}`);
  used.add(block.text);
  return here(block.text);
}

/** Run a block as the administrator, who is no superuser. */
const run = (start: string): Promise<Record<string, unknown>[]> =>
  runAs(scene.test.admin(), printed(start));

/** What the application does, wherever it connects. */
async function work(config: pg.ClientConfig): Promise<string> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    await client.query("insert into public.orders (customer, total_cents) values ('adopted', 1)");
    await client.query("update public.orders set customer = 'kept' where customer = 'adopted'");
    await client.query(`select from ${user}.carts`);
    const { rows } = await client.query<{ name: string }>("select session_user as name");
    await client.query("delete from public.orders where customer = 'kept'");
    return rows[0]?.name ?? "";
  } finally {
    await client.end();
  }
}

/** With a version of the secret, as before Mayfly. */
function directly(label = "AWSCURRENT"): pg.ClientConfig {
  const { username, password, ssl, host, port, database } = scene.loginOf(label);
  return { host, port, database, user: username, password: password.reveal(), ssl };
}

const through = ({ proxy }: Opened): pg.ClientConfig => ({
  host: "127.0.0.1",
  port: proxy.port ?? 0,
  user: "anybody",
  database: scene.test.database,
});

async function open(keeper: Keeper): Promise<Opened> {
  const proxy = await startProxy({
    keeper,
    listen: { port: 0 },
    servers: makeServers({ roots: [own.cluster.ca], time: systemTime }),
    applicationName: "agent",
    onEvent: () => {},
    time: systemTime,
    random: randomBytes,
  });
  return { keeper, proxy };
}

/** What the page's blocks of TypeScript export, all together. */
async function written(): Promise<Readonly<Record<string, unknown>>> {
  const all = {};
  for (const [index, { text }] of blocksOf(PAGE)
    .filter(({ language }) => language === "ts")
    .entries()) {
    const path = join(folder.path, `snippet-${index}.ts`);
    writeFileSync(path, text);
    Object.assign(all, await import(/* @vite-ignore */ pathToFileURL(path).href));
  }
  return all;
}

const pageAgents = (): unknown[] =>
  blocksOf(PAGE)
    .filter(({ language }) => language === "json")
    .map(({ text }) => JSON.parse(text) as unknown);

test("the page's configuration is one that deploys, and its agents' configurations are valid", async () => {
  const { looking, rotated, roles, consumers } = await written();
  const config = parseConfig({
    databases: {
      orders: {
        host: "orders-db.example.com",
        adminSecret: "orders-admin",
        vpc: {
          vpcId: "vpc-0123456789abcdef0",
          availabilityZones: ["eu-west-1a", "eu-west-1b"],
          privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
          securityGroupId: "sg-0123456789abcdef0",
        },
        databases: ["orders"],
        owner: "app_owner",
        ...(looking as object),
        secrets: rotated,
        roles,
      },
    },
    consumers,
  });
  const { tag } = scene.test;
  const model = modelOf(config, "orders", tag);
  if (model === undefined) throw new Error("there is no database");
  const planned = toPlan(model);
  expect(planned.watch).toEqual(["orders_app"]);
  expect(planned).not.toHaveProperty("rotatedUsers");
  plan = { ...scene.test.plan, owner, watch: [user], roles: planned.roles };
  plan = {
    ...plan,
    grants: plan.grants.filter(({ role }) => role in plan.roles),
  };
  const environment = {
    MAYFLY_LEASE_ORDERS_READWRITE:
      "arn:aws:lambda:eu-west-1:111122223333:function:mayfly-issuer:orders--readwrite",
  };
  const readTemplate = () => "";
  const logins = pageAgents().map((agent) =>
    parseConfiguration(agent, { environment, readTemplate }).logins.map(({ name, proxy }) => [
      name,
      proxy,
    ]),
  );
  const port = (number: number) => ({ kind: "private-port", port: number });
  const secret = ["orders-app", port(5_432)];
  expect(logins).toEqual([
    [secret],
    expect.arrayContaining([secret, ["orders/readwrite", port(5_433)]]),
  ]);
});

test("1: what the user has is listed, and every login is in the log, with the page's pattern", async () => {
  await runAs(scene.test.superuser(), "select 1");
  for (const statement of printed("ALTER SYSTEM SET log_connections").trim().split("\n"))
    await runAs(scene.test.superuser(), statement);
  const [, pattern = ""] = /@message like \/(.+)\/\n/.exec(read(PAGE)) ?? [];
  const isLogged = () => new RegExp(here(pattern)).test(own.server.log());
  // new sessions know the setting a moment after the reload
  await eventually(async () => {
    expect(await work(directly())).toBe(user);
    return isLogged();
  });
  const has = await run("SELECT coalesce(d.datname");
  const { database } = scene.test;
  expect(has).toContainEqual({ database, catalog: "pg_class", how: "owner", count: "5" });
  expect(has).toContainEqual({ database, catalog: "pg_proc", how: "privilege", count: "1" });
  const only = (await run("SELECT 'attribute' AS what")).map(
    ({ what, which }) => `${String(what)} ${String(which)}`,
  );
  expect(only).toEqual([
    "attribute CONNECTION LIMIT",
    "column default public.mine.who",
    expect.stringMatching(/^default privileges in schema public: \{.*\}$/),
    `member of ${scene.test.owner}`,
    "row policy own on public.mine",
    `schema of its name ${user}`,
    "setting statement_timeout=30s",
  ]);
});

test("2: the tables get an owner, and go back; the application works all the while", async () => {
  const ownersOf = async () => {
    const rows = await runAs(
      scene.test.superuser(),
      `select distinct pg_get_userbyid(relowner) as owner from pg_class
       where oid in ('public.orders'::regclass, '${user}.carts'::regclass)`,
    );
    return rows.map(({ owner: name }) => name);
  };
  await run("CREATE ROLE app_owner");
  expect(await ownersOf()).toEqual([owner]);
  expect(await work(directly())).toBe(user);
  await run("REASSIGN OWNED BY app_owner");
  expect(await ownersOf()).toEqual([user]);
  expect(await work(directly())).toBe(user);
  await run("CREATE ROLE app_owner");
  expect(await ownersOf()).toEqual([owner]);
  const has = await run("SELECT coalesce(d.datname");
  expect(has.filter(({ how }) => how === "owner")).toEqual([]);
});

test("3 and 4: through the proxy the rotated user works on, where the old password does not", async () => {
  const before = directly();
  viaSecret = await open(
    keepSecret({
      source: {
        name: "orders-app",
        read: async () => {
          const { username, password, host, port, database } = scene.loginOf("AWSCURRENT");
          const [id = ""] =
            [...scene.secret.labels()].find(([, labels]) => labels.includes("AWSCURRENT")) ?? [];
          return { id, username, password, host, port, dbname: database, tls: "verify-full" };
        },
      },
    }),
  );
  expect(await work(through(viaSecret))).toBe(user);
  await scene.rotate();
  expect(await sqlStateFrom(work(before))).toBe("28P01");
  expect(await work(through(viaSecret))).toBe(user);
  expect(own.server.log()).toContain(here('password authentication failed for user "orders_app"'));
});

test("5: a lease works beside it, and the page names what it lacks", async () => {
  const { test: database } = scene;
  if ((await majorOf(database)) < 15)
    await runAs(database.superuser(), "revoke create on schema public from public");
  await database.provision(plan);
  lease = issuerOn(database);
  const invoke: Invoke = async (_, event) => ({
    payload: await lease.ask(ALIAS, JSON.parse(JSON.stringify(event))),
    isError: false,
  });
  const arn = `arn:aws:lambda:eu-west-1:123456789012:function:issuer:${ALIAS}`;
  viaLease = await open(keepLease({ source: issuerBy(invoke, arn) }));
  const missing = (await run("SELECT format('%s on %I.%I'")).map(({ missing: what }) => what);
  const all = ["DELETE", "INSERT", "SELECT", "UPDATE"];
  expect(missing).toEqual([
    ...all.slice(0, 1).map((each) => `${each} on ${user}.carts`),
    "EXECUTE on public.total()",
    ...all.slice(1).map((each) => `${each} on ${user}.carts`),
    `USAGE on sequence ${user}.carts_id_seq`,
  ]);
  expect(await sqlStateFrom(work(through(viaLease)))).toBe("42501");
  // as the page says: what it needs is added
  const { readwrite } = plan.roles;
  if (readwrite === undefined) throw new Error("there is no role");
  const targets = ["public.*", `${user}.*`];
  const { select: _, ...others } = readwrite.privileges;
  plan = {
    ...plan,
    roles: { readwrite: { ...readwrite, privileges: { ...others, select: targets } } },
  };
  await database.provision(plan);
  expect(await work(through(viaLease))).toMatch(/^mf_.*_readwrite_user-service_/);
  expect(await work(through(viaSecret))).toBe(user);
  // in place of a setting of the user's
  const options = /`options=(-c search_path=[^`]+)`/.exec(read(PAGE))?.[1] ?? "";
  const client = new pg.Client({ ...through(viaLease), options });
  await client.connect();
  expect((await client.query("show search_path")).rows).toEqual([{ search_path: "shop,public" }]);
  await client.end();
});

test("6: a sweep says who is there; the door is shut, opened again, and the user is dropped", async () => {
  const { test: database } = scene;
  const seen = async () => {
    await sweep(lease.deps, { actor: "sweep", mayContinue: () => true });
    const [view] = await viewWatched(lease.deps);
    return { role: view?.role, sessions: view?.servers.map(({ sessions }) => sessions) };
  };
  const last = new pg.Client(through(viaSecret));
  last.on("error", () => {}); // it is ended
  await last.connect();
  expect(await seen()).toEqual({ role: "open", sessions: [1] });
  await run("ALTER ROLE orders_app NOLOGIN");
  await expect(last.query("select 1")).rejects.toThrow(/terminat|closed|connection/i);
  await last.end();
  expect(await seen()).toEqual({ role: "shut", sessions: [0] });
  expect(await sqlStateFrom(work(directly()))).toBe("28000");
  expect(await work(through(viaLease))).toMatch(/^mf_/);
  await run("ALTER ROLE orders_app LOGIN");
  expect(await work(directly())).toBe(user);

  await run("ALTER ROLE orders_app NOLOGIN");
  await run("GRANT orders_app TO CURRENT_USER;\nREASSIGN");
  // the function's owner granted it, and the administrator is no member of that owner
  expect(await sqlStateFrom(run("DROP ROLE orders_app"))).toBe("2BP01");
  expect(await run("SELECT coalesce(d.datname")).toEqual([
    { database: database.database, catalog: "pg_proc", how: "privilege", count: "1" },
  ]);
  await runAs(database.superuser(), `revoke all on function public.total() from ${user}`);
  await run("DROP ROLE orders_app");
  expect(await seen()).toEqual({ role: "absent", sessions: [0] });
  expect(await work(through(viaLease))).toMatch(/^mf_/);
  const { watch: __, ...rest } = plan;
  expect(await database.converge(rest)).toMatchObject({ watchesEnded: 1 });
});

test("every block of SQL on the page was run", () => {
  const all = blocksOf(PAGE).filter(({ language }) => language === "sql");
  expect(all.filter(({ text }) => !used.has(text))).toEqual([]);
});
