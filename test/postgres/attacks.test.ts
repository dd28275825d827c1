import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import {
  enderName,
  groupRoleName,
  issuerRoleName,
  janitorName,
  MAINTENANCE_DATABASE,
} from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import { scramVerifier } from "../../lambda/postgres/connection/scram.ts";
import { functionName, type Verb, verbsSchema } from "../../lambda/postgres/leases/verbs.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import {
  backdate,
  firstRow,
  leftOf,
  majorOf,
  NOTHING,
  oidOf,
  shardOf,
} from "../support/evidence.ts";
import { type Issuer, issuerOn, logIn, loginRefusal, sqlStateFrom } from "../support/leases.ts";
import { provisioned, runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";
import { printed } from "../support/runbooks.ts";

// Rows of the attacks that were tried on PostgreSQL 14 to 18 before this was built. Those not here:
// C3 (hand-over), C7 and C8 in revocation, C13 to C15 in provisioning.

const WRITER = "user-service--readwrite";
const READER = "user-service--readonly";

let own: OwnServer;
let database: TestDatabase;
let instance: Issuer;
let major: number;
beforeAll(async () => {
  own = await startCluster();
  database = await provisioned({ cluster: own.cluster });
  instance = issuerOn(database);
  major = await majorOf(database);
});
afterAll(async () => {
  await instance.close();
  await own.server.stop();
});

const sweeping = { actor: "sweep", mayContinue: () => true };
const group = (role: string): string => groupRoleName(database.tag, role);

/** A lease from its issue to its end, everything that Mayfly ever does to it. */
async function wholeLife(): Promise<string> {
  const credential = await instance.issue(WRITER, { idempotencyKey: "life" });
  const { leaseId, username } = credential;
  const oid = await oidOf(database, username);
  expect(await instance.issue(WRITER, { idempotencyKey: "life" })).toEqual(credential);
  const session = await logIn(database, credential);
  await session.query("create temp table mine (id int)");
  await instance.ask(WRITER, { action: "renew", leaseId });
  await instance.ask(WRITER, { action: "lookup", leaseId });
  await sweep(instance.deps, sweeping);
  expect(await instance.ask(WRITER, { action: "revoke", leaseId })).toMatchObject({
    state: "revoked",
  });
  expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
  return username;
}

/** Overloads that win against pg_catalog wherever `public` is looked at. Each call is counted. */
const TRAPS = `
  grant usage on schema public to public;
  create sequence public.sprung; grant all on sequence public.sprung to public;
  create function public.make_interval(secs int) returns interval language plpgsql as
    $$ begin perform pg_catalog.nextval('public.sprung'); return '1 hour'; end $$;
  create function public.format(text, text, int, text, text) returns text language plpgsql as
    $$ begin perform pg_catalog.nextval('public.sprung'); return 'select 1'; end $$;
  create function public.format(text, name, text) returns text language plpgsql as
    $$ begin perform pg_catalog.nextval('public.sprung'); return 'select 1'; end $$;
  create function public.named(name, text) returns text language plpgsql as
    $$ begin perform pg_catalog.nextval('public.sprung'); return 'mf_'; end $$;
  create operator public.|| (leftarg = name, rightarg = text, function = public.named);
  create function public.joins(text, bigint) returns text language plpgsql as
    $$ begin perform pg_catalog.nextval('public.sprung'); return 'role 0'; end $$;
  create operator public.|| (leftarg = text, rightarg = bigint, function = public.joins);
  create function public.later(timestamptz, timestamptz) returns bool language plpgsql as
    $$ begin perform pg_catalog.nextval('public.sprung'); return true; end $$;
  create operator public.> (leftarg = timestamptz, rightarg = timestamptz, function = public.later);`;

test("C1: functions that a lease puts into public never run with the power to create roles", async () => {
  const sprung = async (name: string) =>
    (await firstRow(database, "select is_called from public.sprung", name)).is_called;
  for (const name of [database.database, MAINTENANCE_DATABASE]) {
    await firstRow(database, TRAPS, name);
    const naive = "set search_path = public; select make_interval(secs => 5)";
    await firstRow(database, naive, name);
    expect(await sprung(name)).toBe(true);
    await firstRow(database, "alter sequence public.sprung restart", name);
  }
  await wholeLife();
  for (const name of [database.database, MAINTENANCE_DATABASE])
    expect(await sprung(name)).toBe(false);
  await firstRow(database, "drop sequence public.sprung");
  const credential = await instance.issue();
  expect(await loginRefusal(database, { ...credential, dbname: MAINTENANCE_DATABASE })).toBe(
    "42501",
  );
});

test("C2: triggers of the application's database, on DDL and on logins, never run as Mayfly", async () => {
  await firstRow(
    database,
    `create table public.visits (who name); grant insert on public.visits to public;
     create function public.visit() returns event_trigger language plpgsql as
       $$ begin insert into public.visits values (session_user); end $$;
     create event trigger on_ddl on ddl_command_end execute function public.visit();
     create event trigger on_drop on sql_drop execute function public.visit();
     ${major >= 17 ? "create event trigger on_login on login execute function public.visit();" : ""}`,
  );
  const username = await wholeLife();
  const { visitors } = await firstRow(
    database,
    "select array_agg(distinct who::text) filter (where who::text like 'mf\\_%') as visitors from public.visits",
  );
  expect(visitors).toEqual([username]);
  await firstRow(database, "drop function public.visit cascade; drop table public.visits");
});

test("C4: a lease that drops what its group owns takes no table from its siblings", async () => {
  const [attacker, sibling] = [await instance.issue(), await instance.issue()];
  const read = (login: typeof sibling, table: string) =>
    sqlStateFrom(
      runAs(database.as(login.username, login.password), `select count(*) from public.${table}`),
    );
  await runAs(
    database.as(attacker.username, attacker.password),
    `drop owned by ${group("readonly")} cascade`,
  );
  expect(await read(sibling, "orders")).toBeUndefined();
  // Default privileges are lost to it; provisioning again, as a deployment does, restores them.
  await database.provision();
  await firstRow(database, `set role ${database.owner}; create table public.next (id int)`);
  expect(await read(sibling, "next")).toBeUndefined();
});

test("C5: two holders of one key do not evict each other: no call changes the password", async () => {
  const keyed = { idempotencyKey: "two pods" };
  const first = await instance.issue(READER, keyed);
  const session = await logIn(database, first);
  for (let round = 0; round < 5; round++) {
    const second = await instance.issue(READER, keyed);
    expect(second).toEqual(first);
    expect(await loginRefusal(database, second)).toBeUndefined();
    expect(await loginRefusal(database, first)).toBeUndefined();
  }
  expect((await session.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await session.end();
});

test("C5: a key whose lease is latched, expired or about to expire is not answered with it", async () => {
  for (const change of ["nologin", "valid until '2001-01-01'", "in three seconds"]) {
    const keyed = { idempotencyKey: `used up: ${change}` };
    const first = await instance.issue(READER, keyed);
    const role = `"${first.username}"`;
    if (change === "in three seconds")
      await firstRow(
        database,
        `do $$ begin execute format('alter role ${role} valid until %L', clock_timestamp() + interval '3 s'); end $$`,
      );
    else await firstRow(database, `alter role ${role} ${change}`);
    const second = await instance.issue(READER, keyed);
    expect(second.username).not.toBe(first.username);
    expect(second.username.slice(-22, -14)).toBe(first.username.slice(-22, -14));
    expect(await loginRefusal(database, second)).toBeUndefined();
  }
});

test("C6: an open transaction of a lease holds up no issue, whatever it locked as its group", async () => {
  const credential = await instance.issue(WRITER);
  const session = await logIn(database, credential);
  await session.query("begin; create temp table t (id int)");
  for (const attempt of [
    `set local role ${group("readwrite")}; alter role ${group("readwrite")} password 'x'`,
    `alter role ${group("readwrite")} set work_mem = '1MB'`,
    `grant select on t to ${group("readwrite")}`,
    `drop owned by ${group("readwrite")}`,
    `comment on role ${group("readwrite")} is 'mine'`,
    `grant ${group("readwrite")} to ${group("readwrite")}`,
  ]) {
    await session.query("savepoint s");
    await session.query(attempt).catch(() => session.query("rollback to s"));
  }
  const started = performance.now();
  expect(await loginRefusal(database, await instance.issue(WRITER))).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(TEST_LIMITS.lock);
  await session.query("rollback");
  await session.end();
});

describe("C9: a lease that is latched inside a renewal's window", () => {
  /** Hold `lock` until a renewal waits for it, then latch, then let both go on. */
  async function latchedWhileRenewing(lock: (username: string) => string, latch: string) {
    const credential = await instance.issue();
    const { leaseId, username } = credential;
    const oid = await oidOf(database, username);
    const holder = new pg.Client(own.server.superuser(MAINTENANCE_DATABASE));
    await holder.connect();
    await holder.query(`begin; ${lock(username)}`);
    const renewal = instance.ask(READER, { action: "renew", leaseId }).then(
      () => "renewed",
      (error: unknown) => String(error),
    );
    await eventually(async () => {
      const { rows } = await holder.query(
        `select pg_stat_clear_snapshot(), pid from pg_stat_activity
           where wait_event_type = 'Lock' and usename like 'mf\\_${database.tag}\\_login%'`,
      );
      return rows.length > 0;
    });
    await holder.query(`alter role "${username}" ${latch}; commit`);
    await holder.end();
    return { credential, oid, renewal: await renewal };
  }

  test.each<[string, (username: string) => string, string]>([
    [
      "before it has its lock",
      (username) => `comment on role "${username}" is '{"v":1,"issued":1,"max":9999999999999}'`,
      "nologin valid until '-infinity'",
    ],
    [
      "by a DBA, after it has its lock",
      () => "lock table pg_catalog.pg_authid in share mode",
      "nologin",
    ],
  ])("%s is not renewed, and is revoked by the next sweep", async (_, lock, latch) => {
    const { credential, oid, renewal } = await latchedWhileRenewing(lock, latch);
    expect(renewal).toContain("cannot be renewed: revoked");
    expect(await loginRefusal(database, credential)).toMatch(/^28/);
    await sweep(instance.deps, sweeping);
    expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
  });
});

test("C10: an issuer role of another shard can neither latch nor drop a lease, from 16 on", async () => {
  const credential = await instance.issue();
  const { username } = credential;
  const own = shardOf(database, username);
  const other = own === issuerRoleName(database.tag, 0) ? 1 : 0;
  const role = issuerRoleName(database.tag, other);
  // Before 16, CREATEROLE reaches every role: there, only that the shard is in the name helps.
  for (const attack of [`alter role "${username}" nologin`, `drop role "${username}"`])
    expect(
      await sqlStateFrom(firstRow(database, `begin; set role ${role}; ${attack}; rollback`)),
    ).toBe(major >= 16 ? "42501" : undefined);
  const login = await database.issuerLogin();
  const lease = `array['${username}'], array[${await oidOf(database, username)}]::oid[]`;
  const call = (verb: Verb, more: string) =>
    runAs(
      login,
      `select outcome from ${verbsSchema(database.tag)}.${functionName(verb, other)}(${lease}${more})`,
    );
  expect(await call("latch", ", false, true")).toEqual([{ outcome: "foreign" }]);
  expect(await call("lend", ", true")).toEqual([{ outcome: "foreign" }]);
  expect(await call("drop_leases", "")).toEqual([{ outcome: "foreign" }]);
  expect(await loginRefusal(database, credential)).toBeUndefined();
});

test("C11: every lease is held with ADMIN OPTION by its shard, so that an upgrade loses none", async () => {
  const { username, leaseId } = await instance.issue();
  const { admins } = await firstRow(
    database,
    `select array_agg(u.rolname::text) as admins from pg_auth_members m
       join pg_roles r on r.oid = m.roleid and r.rolname = '${username}'
       join pg_roles u on u.oid = m.member where m.admin_option`,
  );
  expect(admins).toEqual([shardOf(database, username)]);
  expect(await instance.ask(READER, { action: "revoke", leaseId })).toMatchObject({
    state: "revoked",
  });
});

test("C11: a lease that takes itself from its shard, as PostgreSQL 14 lets it, is revoked all the same", async () => {
  const credential = await instance.issue();
  const { username, password } = credential;
  const shard = shardOf(database, username);
  const oid = await oidOf(database, username);
  const attack = runAs(database.as(username, password), `revoke "${username}" from ${shard}`);
  expect(await sqlStateFrom(attack)).toBe(major >= 15 ? "42501" : undefined);
  const session = await logIn(database, credential);
  await backdate(database, username);
  // short leases of other tests may have ended too
  expect(await sweep(instance.deps, sweeping)).toMatchObject({ foreign: [] });
  expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
  await session.end().catch(() => {});
});

test("C12: nobody who executes a verb reads the application's data, as itself or as anybody else", async () => {
  const login = { ...(await database.issuerLogin()), database: database.database };
  const read = "select * from public.orders";
  const { tag } = database;
  const powers = [issuerRoleName(tag, 0), issuerRoleName(tag, 1), enderName(tag)];
  const others = [...powers, group("readonly"), janitorName(tag), "pg_signal_backend"];
  for (const attack of [read, ...others.map((role) => `set role ${role}; ${read}`)])
    expect(await sqlStateFrom(runAs(login, attack))).toBe("42501");
  for (const role of powers)
    expect(
      await sqlStateFrom(firstRow(database, `set session authorization ${role}; ${read}`)),
    ).toBe("42501");
});

test("C12: an issuer login is a member of nothing, and whatever it is for happens in a verb", async () => {
  const login = await database.issuerLogin();
  const { tag } = database;
  const [row] = await runAs(
    login,
    "select count(*)::int as held from pg_auth_members where member = current_user::regrole",
  );
  expect(row).toEqual({ held: 0 });
  const credential = await instance.issue();
  for (const attack of [
    `set role ${issuerRoleName(tag, 0)}`,
    `set role ${enderName(tag)}`,
    `set role ${group("readonly")}`,
    `create role "mf_${tag}_readonly_evil_00000000aaaaaaaaaaaaaa"`,
    `grant ${group("readwrite")} to current_user`,
    `grant ${group("readwrite")} to "${credential.username}"`,
    `alter role "${credential.username}" valid until 'infinity'`,
    `drop role "${credential.username}"`,
    `select * from mf_${tag}.declared`,
    `insert into mf_${tag}.declared select * from mf_${tag}.declared`,
    `update mf_${tag}.declared set max_leases = 1000000`,
    `update mf_${tag}.counted set at_most = 0`,
    `begin; lock table mf_${tag}.declared in access share mode`,
    `create function ${verbsSchema(tag)}.evil() returns int language sql as 'select 1'`,
    "create temp table evil (id int)",
    ...["issue", "renew", "latch", "lend", "drop_leases", "annotate", "end_sessions"].map(
      (verb) => `select ${verbsSchema(tag)}.${verb}(${ARGUMENTS[verb]})`,
    ),
    `select * from ${verbsSchema(tag)}.end_sessions_of('{}', '{}')`,
    `select * from ${verbsSchema(tag)}.end_holders('{}', 'readonly', null)`,
  ])
    expect([attack, await sqlStateFrom(runAs(login, attack))]).toEqual([attack, "42501"]);
  expect(await loginRefusal(database, credential)).toBeUndefined();
});

test("C12: a stolen issuer login makes no role but leases of what is declared", async () => {
  const login = await database.issuerLogin();
  const { tag } = database;
  const verifier = await scramVerifier(new Secret("chosen by a thief"));
  const issue = (name: string, given = verifier, ttl = 60) =>
    runAs(
      login,
      `select outcome from ${verbsSchema(tag)}.${functionName("issue", 0)}(
         '${name}', '${given}', ${ttl}, false, null, null)`,
    ).then(
      ([row]) => row?.outcome,
      (error: unknown) => (error as { code?: string }).code,
    );
  const roles = () =>
    firstRow(database, "select array_agg(rolname::text order by 1) from pg_roles");
  const before = await roles();
  const lease = `mf_${tag}_readonly_user-service_00000000aaaaaaaaaaaaaa`;
  for (const [outcome, name, given, ttl] of [
    ["undeclared", lease.replace("user-service", "nobody")],
    ["undeclared", lease.replace("readonly", "payroll")],
    ["ttl", lease, verifier, 86_401],
    ["ttl", lease, verifier, -1],
    ["MF002", lease.replace("00000000aa", "00000000ab")],
    ["MF002", lease.replace(`mf_${tag}`, "mf_zzzz")],
    ["MF002", `${lease}a`],
    ["MF002", group("readonly")],
    ["MF002", "dba"],
    ["MF003", lease, "a password"],
    ["MF003", lease, `${verifier}" superuser`],
  ] as const)
    expect([name, await issue(name, given, ttl)]).toEqual([name, outcome]);
  expect(await roles()).toEqual(before);
});

/** What the bodies of verbs are called with, behind their wrappers. */
const ARGUMENTS: Readonly<Record<string, string>> = {
  issue: "'x', 'x', 60, false, null, null",
  renew: "'x', 1, 60",
  latch: "'{}', '{}', false, false",
  lend: "'{}', '{}', true",
  drop_leases: "'{}', '{}'",
  annotate: "'x', 1, null",
  end_sessions: "'{}', '{}', false",
};

test("C16: a lease that takes every advisory lock it can holds up nothing", async () => {
  const session = await logIn(database, await instance.issue());
  await session.query("select pg_advisory_lock(n) from generate_series(-2000, 2000) n");
  for (const role of ["readonly", "readwrite"])
    await session.query("select pg_advisory_lock(hashtext($1), hashtext($2))", [
      `mayfly ${database.tag}`,
      role,
    ]);
  const started = performance.now();
  await wholeLife();
  expect(performance.now() - started).toBeLessThan(TEST_LIMITS.lock);
  await session.end();
});

test("C17: whoever takes its group from a shard keeps no lease of it from being ended", async () => {
  const credentials = [await instance.issue(), await instance.issue(), await instance.issue()];
  const oids = await Promise.all(credentials.map(({ username }) => oidOf(database, username)));
  const take = `revoke ${group("readonly")} from ${[0, 1].map((n) => issuerRoleName(database.tag, n)).join(", ")}`;
  // From 16 on the server says no while leases hang on it; before, CREATEROLE is enough to end them.
  expect(await sqlStateFrom(runAs(database.admin(), take))).toBe(major >= 16 ? "2BP01" : undefined);
  for (const { leaseId } of credentials)
    expect(await instance.ask(READER, { action: "revoke", leaseId })).toMatchObject({
      state: "revoked",
    });
  for (const [n, credential] of credentials.entries())
    expect(await leftOf(database, credential, oids[n] ?? "0")).toEqual(NOTHING);
  await database.provision();
  expect(await loginRefusal(database, await instance.issue())).toBeUndefined();
});

test("C22: a trigger that a lease made runs on in quarantine, and the runbook finds it", async () => {
  await firstRow(
    database,
    `grant create on schema public to ${group("readwrite")};
     grant trigger on public.orders to ${group("readwrite")}; create table public.callers (who name);
     grant insert on public.callers to public`,
  );
  const credential = await instance.issue(WRITER);
  const { username, leaseId } = credential;
  const session = await logIn(database, credential);
  await session.query(
    `create function public.tell() returns trigger language plpgsql as
       $$ begin insert into public.callers values (current_user); return null; end $$;
     create trigger telling before update on public.orders for each statement execute function public.tell()`,
  );
  const receipt = await instance.ask(WRITER, { action: "revoke", leaseId });
  expect(receipt).toMatchObject({ state: "quarantined", blockers: [{ catalog: "pg_proc" }] });
  await firstRow(
    database,
    `set role ${database.owner}; update public.orders set customer = customer; reset role; select 1`,
  );
  expect(await firstRow(database, "select who from public.callers")).toEqual({
    who: database.owner,
  });
  const sql = printed("quarantine", "pg_trigger").replace("<the lease>", username);
  expect(await runAs(database.admin(), sql)).toEqual([
    { runs_on: "public.orders", trigger: "telling", function: "public.tell()" },
  ]);
  await firstRow(
    database,
    `drop function public.tell() cascade; drop table public.callers;
     revoke create on schema public from ${group("readwrite")};
     revoke trigger on public.orders from ${group("readwrite")}`,
  );
  await sweep(instance.deps, sweeping);
  expect(await firstRow(database, `select 1 from pg_roles where rolname = '${username}'`)).toEqual(
    {},
  );
});

test("C25: a login that was begun before the expiry is in after it, and ends with the lease", async () => {
  const credential = await instance.issue();
  const { host, port, username: user, dbname, password } = credential;
  const oid = await oidOf(database, user);
  const client = new pg.Client({
    host,
    port,
    user,
    database: dbname,
    ssl: database.admin().ssl,
    // asked for when the server has looked at the role already
    password: async () => {
      await backdate(database, user);
      return password;
    },
  });
  client.on("error", () => {});
  await client.connect();
  expect(await loginRefusal(database, credential)).toBe("28P01");
  expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  await sweep(instance.deps, sweeping);
  expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
});

test("C29: between its latch and the end of its session a lease is refused with 42501", async () => {
  const credential = await instance.issue();
  const session = await logIn(database, credential);
  const incarnation = await oidOf(database, credential.username);
  const lease = { ...parseLeaseId(credential.leaseId), incarnation };
  await instance.deps.engine.latch([lease], { onlyIfDue: false });
  expect(await sqlStateFrom(session.query("select from public.orders"))).toBe("42501");
  await instance.deps.engine.endSessions([lease]);
  expect(await sqlStateFrom(session.query("select from public.orders"))).not.toBe("42501");
  await sweep(instance.deps, sweeping);
  expect(await leftOf(database, credential, incarnation)).toEqual(NOTHING);
});

test.each([
  ["read the verifiers", "select rolpassword from pg_authid", "42501"],
  ["log in as nobody but itself", "set session authorization mayfly_master", "42501"],
  ["become an issuer role", "set role mf_TAG_issuer_aa", "42501"],
  ["become the role that ends sessions", "set role mf_TAG_ender", "42501"],
  ["become another group", "set role mf_TAG_group_readwrite", "42501"],
  [
    "let its group log in",
    "set role mf_TAG_group_readonly; alter role mf_TAG_group_readonly login",
    "42501",
  ],
  ["create a role", "create role evil", "42501"],
  ["make itself last", "alter role current_user valid until 'infinity'", "42501"],
  ["give its group away", "grant mf_TAG_group_readonly to mayfly_master", "42501"],
  [
    "end another's session",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'mf_TAG_login_%'",
    "42501",
  ],
  ["comment on its group", "comment on role mf_TAG_group_readonly is 'x'", "42501"],
  ["drop its group", "drop role mf_TAG_group_readonly", "42501"],
])("a lease cannot %s", async (_, attack, code) => {
  const credential = await instance.issue();
  const login = database.as(credential.username, credential.password);
  expect(await sqlStateFrom(runAs(login, attack.replaceAll("TAG", database.tag)))).toBe(code);
});
