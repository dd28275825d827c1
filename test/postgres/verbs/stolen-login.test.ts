import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { base32 } from "../../../core/base32.ts";
import { sweep } from "../../../core/leases/operation/sweep.ts";
import {
  enderName,
  formatShard,
  groupRoleName,
  issuerRoleName,
  janitorName,
} from "../../../core/names.ts";
import { Secret } from "../../../core/secret.ts";
import { connect, type Login } from "../../../lambda/postgres/connection/login.ts";
import { scramVerifier } from "../../../lambda/postgres/connection/scram.ts";
import { type OwnServer, startCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { firstRow, leasesOf, majorOf, oidOf } from "../../support/evidence.ts";
import { type Issuer, issuerOn, logIn, sqlStateFrom } from "../../support/leases.ts";
import { provisioned, runAs, TEST_LIMITS, type TestDatabase } from "../../support/provisioned.ts";

// What somebody can do who has stolen an issuer login: call the verbs, and nothing else. Nuisances are
// numbered as in docs/security.md.

let own: OwnServer;
let database: TestDatabase;
let honest: Issuer;
let major: number;
let stolen: Login;
let thief: pg.Client;

beforeAll(async () => {
  own = await startCluster(["max_prepared_transactions=5"]);
  database = await provisioned({ cluster: own.cluster, limits: { maxLeases: 200 } });
  major = await majorOf(database);
  stolen = await database.issuerLogin("a");
  // the functions have the other one, as right after a rotation
  honest = issuerOn(database, { login: () => database.issuerLogin("b") });
});
beforeEach(async () => {
  thief = new pg.Client({
    host: stolen.host,
    port: stolen.port,
    database: "mayfly",
    user: stolen.username,
    password: stolen.password.reveal(),
    ssl: stolen.ssl,
  });
  thief.on("error", () => {}); // it is ended by some of the tests
  await thief.connect();
  return () => thief.end().catch(() => {});
});
afterAll(async () => {
  await honest.close();
  await own.server.stop();
});

const group = (role = "readonly"): string => groupRoleName(database.tag, role);
const shard = (): string => issuerRoleName(database.tag, 0);
const schema = (): string => `mf_${database.tag}_v1`;
const nameOf = (consumer = "user-service", role = "readonly"): string =>
  `mf_${database.tag}_${role}_${consumer}_00000000${formatShard(0)}${base32(randomBytes(8), 12)}`;
const verifier = (): Promise<string> => scramVerifier(new Secret("stolen"));
const issue = (client: pg.Client, values: readonly unknown[]): Promise<pg.QueryResult> =>
  client.query(`select * from ${schema()}.issue_aa($1, $2, $3, $4, $5, $6)`, [...values]);

/** Whether a session still answers. */
const isAlive = (client: pg.Client): Promise<boolean> =>
  client.query("select 1").then(
    () => true,
    () => false,
  );

describe("an issuer login alone", () => {
  test("is a member of nothing", async () => {
    const { count } = await firstRow(
      database,
      `select count(*)::int from pg_auth_members m join pg_roles u on u.oid = m.member
       where u.rolname = '${stolen.username}'`,
    );
    expect(count).toBe(0);
  });

  test.each([
    ["become an issuer role", () => `set role ${shard()}`],
    ["become the role that ends sessions", () => `set role ${enderName(database.tag)}`],
    ["grant a group", () => `grant ${group()} to ${stolen.username}`],
    ["make a role", () => "create role app_metrics login"],
    ["make a role in a group", () => `create role app_metrics login in role ${group()}`],
    ["make itself last", () => `alter role ${stolen.username} valid until 'infinity'`],
    ["widen its connection limit", () => `alter role ${stolen.username} connection limit 500`],
    ["read what is declared", () => `select * from mf_${database.tag}.declared`],
    [
      "lock what is declared",
      () => `begin; lock table mf_${database.tag}.declared in access share mode`,
    ],
    ["lock its rows", () => `select * from mf_${database.tag}.declared for update`],
    ["declare", () => `update mf_${database.tag}.declared set max_leases = 9`],
    ["watch a user", () => `insert into mf_${database.tag}.watched values ('mayfly_master')`],
    ["forget who was seen", () => `delete from mf_${database.tag}.seen`],
    ["count", () => `update mf_${database.tag}.counted set at_most = 0`],
    [
      "call the body of a verb",
      () => `select * from ${schema()}.issue('x', 'y', 1, false, 1, null)`,
    ],
    ["call what ends sessions", () => `select * from ${schema()}.end_sessions_of('{}', '{}')`],
    [
      "call what ends holders",
      () => `select * from ${schema()}.end_holders('{}', 'readonly', null)`,
    ],
    [
      "make a function there",
      () => `create function ${schema()}.f() returns int language sql as 'select 1'`,
    ],
    ["replace a verb", () => `drop function ${schema()}.look(text)`],
    ["own a verb", () => `alter function ${schema()}.look(text) owner to ${stolen.username}`],
    ["make a temporary table", () => "create temp table mine (id int)"],
    [
      "end another's session",
      () =>
        "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'mayfly_master'",
    ],
  ])("cannot %s", async (_, statement) => {
    const master = await connect(database.admin(), TEST_LIMITS);
    expect(await sqlStateFrom(thief.query(statement()))).toBe("42501");
    expect((await master.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
    await master.end();
  });

  test("cannot let anybody else execute a verb", async () => {
    await thief
      .query(`grant execute on function ${schema()}.look(text) to public`)
      .catch((error: unknown) => error);
    const { allowed } = await firstRow(
      database,
      `select has_function_privilege('public', '${schema()}.look(text)', 'execute') as allowed`,
      "mayfly",
    );
    expect(allowed).toBe(false);
  });
});

describe("a verb refuses", () => {
  const long = "x".repeat(10_000);
  test.each<[string, () => readonly unknown[] | Promise<readonly unknown[]>, RegExp]>([
    [
      "another stack's name",
      async () => [
        nameOf().replace(database.tag, "zzzz"),
        await verifier(),
        null,
        false,
        null,
        null,
      ],
      /^MF002$/,
    ],
    [
      "another shard's name",
      async () => [
        nameOf().replace(/00000000aa/, "00000000ab"),
        await verifier(),
        null,
        false,
        null,
        null,
      ],
      /^MF002$/,
    ],
    [
      "the name of a login",
      async () => [stolen.username, await verifier(), null, false, null, null],
      /^MF002$/,
    ],
    [
      "a name with a quote",
      async () => [`${nameOf()}"; drop role x; --`, await verifier(), null, false, null, null],
      /^MF002$/,
    ],
    [
      "a name with a newline at its end",
      async () => [`${nameOf()}\n`, await verifier(), null, false, null, null],
      /^MF002$/,
    ],
    [
      "a name of 10,000 characters",
      async () => [long, await verifier(), null, false, null, null],
      /^MF002$/,
    ],
    ["no name", async () => [null, await verifier(), null, false, null, null], /^MF002$/],
    ["a password in clear", () => [nameOf(), "correct horse", null, false, null, null], /^MF003$/],
    [
      "an MD5 password",
      () => [nameOf(), `md5${"0".repeat(32)}`, null, false, null, null],
      /^MF003$/,
    ],
    [
      "a verifier of few iterations",
      async () => [nameOf(), (await verifier()).replace("4096", "1"), null, false, null, null],
      /^MF003$/,
    ],
    ["no verifier", () => [nameOf(), null, null, false, null, null], /^MF003$/],
    [
      "a verifier with text behind it",
      async () => [nameOf(), `${await verifier()}' valid until 'infinity`, null, false, null, null],
      /^MF003$/,
    ],
    [
      "a replay without a pepper",
      async () => [nameOf(), await verifier(), null, true, null, null],
      /^MF004$/,
    ],
    [
      "a pepper that is JSON",
      async () => [nameOf(), await verifier(), null, true, null, '","max":9'],
      /^MF004$/,
    ],
    [
      "no word about replays",
      async () => [nameOf(), await verifier(), null, null, null, null],
      /^MF004$/,
    ],
    [
      "a TTL that is no number",
      async () => [nameOf(), await verifier(), "NaN", false, null, null],
      /^22P02$/,
    ],
    ["a NUL", async () => [`${nameOf()}\0`, await verifier(), null, false, null, null], /^22021$/],
  ])("to issue for %s, and makes nothing", async (_, values, code) => {
    const before = await leasesOf(database);
    expect(await sqlStateFrom(issue(thief, await values()))).toMatch(code);
    expect(await leasesOf(database)).toEqual(before);
  });

  test.each([
    ["a consumer that has no grant", () => nameOf("intruder"), null, "undeclared"],
    ["a role that is not declared", () => nameOf("user-service", "postgres"), null, "undeclared"],
    [
      "a role named like a system role",
      () => nameOf("user-service", "pg-read-all"),
      null,
      "undeclared",
    ],
    ["a life beyond the maximum", () => nameOf(), 86_401, "ttl"],
    ["a life of no time", () => nameOf(), 0, "ttl"],
    ["a negative life", () => nameOf(), -5, "ttl"],
  ])("in words to issue for %s", async (_, name, ttl, outcome) => {
    const { rows } = await issue(thief, [name(), await verifier(), ttl, false, null, null]);
    expect(rows).toMatchObject([{ outcome, login: null }]);
  });

  test.each(["serializable", "repeatable read"])(
    "to issue in a transaction that is %s",
    async (level) => {
      await thief.query(`begin isolation level ${level}`);
      const values = [nameOf(), await verifier(), null, false, null, null];
      expect(await sqlStateFrom(issue(thief, values))).toBe("MF001");
      await thief.query("rollback");
    },
  );

  test("to latch, lend or drop what is no lease, whoever it is named after", async () => {
    const fake = nameOf();
    await runAs(database.superuser(), `create role "${fake}" login createdb`);
    const targets = [
      fake,
      "postgres",
      stolen.username,
      group(),
      shard(),
      janitorName(database.tag),
    ];
    const oids = await Promise.all(
      targets.map((name) => oidOf(database, name).catch(() => "16384")),
    );
    const call = (verb: string, ...rest: unknown[]) =>
      thief.query(
        `select outcome from ${schema()}.${verb}_aa($1, $2${rest.map((_, i) => `, $${i + 3}`).join("")})`,
        [targets, oids, ...rest],
      );
    for (const { rows } of [
      await call("latch", false, true),
      await call("lend", true),
      await call("drop_leases"),
    ])
      for (const { outcome } of rows)
        expect(["foreign", "gone", "other", "live"]).toContain(outcome);
    const { rolcanlogin } = await firstRow(
      database,
      `select rolcanlogin from pg_roles where rolname = '${fake}'`,
    );
    expect(rolcanlogin).toBe(true);
    await runAs(database.superuser(), `drop role "${fake}"`);
  });

  test("to end sessions of anybody but leases", async () => {
    const { oid } = await firstRow(
      database,
      "select usesysid::text as oid from pg_stat_activity where pid = pg_backend_pid()",
    );
    const master = await oidOf(database, database.admin().username);
    const session = await connect(database.admin(), TEST_LIMITS);
    const { rows } = await thief.query(
      `select ended, remaining from ${schema()}.end_sessions_aa($1, $2, false)`,
      [
        [database.admin().username, database.superuser().username],
        [master, oid],
      ],
    );
    for (const row of rows) expect(row).toEqual({ ended: 0, remaining: 0 });
    expect((await session.query("select 1 as alive")).rows).toEqual([{ alive: 1 }]);
    await session.end();
  });

  test.each([
    ["no lists", "null, null"],
    ["lists of two lengths", "'{a,b}', '{1}'"],
    ["a list of lists", "'{{a,b},{c,d}}', '{1,2}'"],
    [
      "too many",
      "(select array_agg('x'::text) from generate_series(1, 251)), (select array_agg(1::oid) from generate_series(1, 251))",
    ],
  ])("%s of leases", async (_, lists) => {
    for (const call of [
      `latch_aa(${lists}, true, false)`,
      `drop_leases_aa(${lists})`,
      `lend_aa(${lists}, true)`,
      `end_sessions_aa(${lists}, false)`,
    ])
      expect(await sqlStateFrom(thief.query(`select * from ${schema()}.${call}`))).toBe("MF005");
  });
});

describe("nuisances of a stolen login have a bound", () => {
  test("R1: who sits on the lock is ended by the next issue, which is answered", async () => {
    await thief.query("begin");
    await thief.query("savepoint s");
    await issue(thief, [nameOf(), await verifier(), null, false, null, null]);
    await honest.issue();
    expect(await isAlive(thief)).toBe(false);
  });

  test("R1: so is who took the lock itself, for its session, shared, and goes on asking", async () => {
    await thief.query(
      `select pg_advisory_lock_shared(hashtext('mayfly ${database.tag}'), hashtext('readonly'))`,
    );
    const asking = setInterval(() => void isAlive(thief), 100);
    await honest.issue();
    clearInterval(asking);
    expect(await isAlive(thief)).toBe(false);
  });

  test("R1: a grant that is withdrawn while it leaves an issue open is gone when the deployment is over", async () => {
    await thief.query("begin");
    const values = [nameOf("reporting"), await verifier(), null, false, null, null];
    await issue(thief, values);
    const grants = database.plan.grants.filter(({ consumer }) => consumer !== "reporting");
    await database.provision({ ...database.plan, grants });
    await thief.query("commit").catch(() => {});
    expect((await leasesOf(database)).filter((name) => name.includes("_reporting_"))).toEqual([]);
    await database.provision();
  });

  test("R1: another dynamic role's issues do not wait for it", async () => {
    await thief.query("begin");
    await issue(thief, [nameOf(), await verifier(), null, false, null, null]);
    await honest.issue("user-service--readwrite");
    // whoever had to wait for it would have ended it
    expect(await isAlive(thief)).toBe(true);
    await thief.query("rollback");
  });

  test("R1: so is who sits on the lock of the group, in a latch that it does not commit", async () => {
    const { username } = await honest.issue();
    const suffix = username.slice(-14, -12);
    await thief.query("begin");
    await thief.query(`select * from ${schema()}.latch_${suffix}($1, $2, false, false)`, [
      [username],
      [await oidOf(database, username)],
    ]);
    await honest.issue();
    // before 16 nobody has to wait for it
    expect(await isAlive(thief)).toBe(major < 16);
    await thief.query("rollback").catch(() => {});
  });

  test("R1: so is who sits on a lease's own lock, in a renewal that it does not commit, when the lease is revoked", async () => {
    const credential = await honest.issue();
    const { username, leaseId } = credential;
    const session = await logIn(database, credential);
    const suffix = username.slice(-14, -12);
    await thief.query("begin");
    await thief.query(`select * from ${schema()}.renew_${suffix}($1, $2, 3600)`, [
      username,
      await oidOf(database, username),
    ]);
    const receipt = await honest.ask("user-service--readonly", { action: "revoke", leaseId });
    expect(receipt).toMatchObject({ state: "revoked" });
    expect(await isAlive(thief)).toBe(false);
    expect(await isAlive(session)).toBe(false);
  });

  test("R1: the login of another stack that takes the lock is ended too", async () => {
    const other = await provisioned({ cluster: own.cluster });
    const sitter = await connect(await other.issuerLogin(), TEST_LIMITS);
    await sitter.query(
      `select pg_advisory_lock(hashtext('mayfly ${database.tag}'), hashtext('readonly'))`,
    );
    await honest.issue();
    expect(await isAlive(sitter)).toBe(false);
    await sitter.end().catch(() => {});
  });

  test("no limit is exceeded by renewals that are committed after their lease was over", async () => {
    const three = await provisioned({ cluster: own.cluster, limits: { maxLeases: 3 } });
    const issuer = issuerOn(three);
    const robber = await connect(await three.issuerLogin(), TEST_LIMITS);
    const held = [await issuer.issue(), await issuer.issue(), await issuer.issue()];
    /** Renew all shortly before they are over. @returns what the renewals say, uncommitted. */
    const renewing = async (secondsLeft: number): Promise<Set<unknown>> => {
      for (const { username } of held)
        await firstRow(
          three,
          `do $$ begin execute format('alter role %I valid until %L', '${username}',
             clock_timestamp() + interval '${secondsLeft} seconds'); end $$`,
        );
      const said = new Set<unknown>();
      await robber.query("begin");
      for (const { username } of held) {
        const { rows } = await robber.query(
          `select outcome from mf_${three.tag}_v1.renew_${username.slice(-14, -12)}($1, $2, 3600)`,
          [username, await oidOf(three, username)],
        );
        said.add(rows[0]?.outcome);
      }
      return said;
    };
    // a busy machine may take longer than there was left
    let said = await renewing(1);
    for (let left = 2; said.has("expired"); left *= 2) {
      await robber.query("rollback");
      said = await renewing(left);
    }
    expect([...said]).toEqual(["extended"]);
    await eventually(async () => {
      const { over } = await firstRow(
        three,
        `select bool_and(rolvaliduntil < clock_timestamp()) as over from pg_roles
         where rolname in (${held.map(({ username }) => `'${username}'`).join(", ")})`,
      );
      return over === true;
    });
    await expect(issuer.issue()).rejects.toThrow("at most 3");
    await robber.query("commit");
    expect(await leasesOf(three)).toHaveLength(3);
    await Promise.all([robber.end(), issuer.close()]);
  });

  test("R2: a transaction that it prepared holds its lock no longer than to the next converge", async () => {
    await thief.query("begin");
    await thief.query(
      `select pg_advisory_xact_lock(hashtext('mayfly ${database.tag}'), hashtext('readonly'))`,
    );
    await thief.query("prepare transaction 'held'");
    await database.converge();
    await honest.issue();
    const { count } = await firstRow(database, "select count(*)::int from pg_prepared_xacts");
    expect(count).toBe(0);
  });

  test("R3: settings that it leaves to its login hinder nobody, and are gone with the next converge", async () => {
    const settings = [
      "default_transaction_read_only = on",
      "default_transaction_isolation = 'serializable'",
      "statement_timeout = 1",
      "lock_timeout = 1",
      "search_path = public",
      "row_security = off",
      "standard_conforming_strings = off",
      "DateStyle = 'SQL, DMY'",
      "TimeZone = 'Asia/Tokyo'",
      "IntervalStyle = 'sql_standard'",
      "extra_float_digits = -15",
      "enable_indexscan = off",
      "synchronous_commit = off",
      "debug_print_parse = on",
      "debug_print_rewritten = on",
      "debug_print_plan = on",
      ...(major >= 16 ? ["createrole_self_grant = 'set, inherit'"] : []),
    ];
    for (const setting of settings) {
      await thief.query(`alter role ${stolen.username} set ${setting}`);
      await thief.query(`alter role ${stolen.username} in database mayfly set ${setting}`);
    }
    const victim = issuerOn(database, { login: async () => stolen });
    const credential = await victim.issue("user-service--readonly", { ttlSeconds: 60 });
    const lasts = Date.parse(credential.expiresAt) - Date.parse(credential.issuedAt);
    expect(lasts).toBe(60_000);
    await (await logIn(database, credential)).end();
    const { memberships } = await firstRow(
      database,
      `select count(*)::int as memberships from pg_auth_members m join pg_roles r on r.oid = m.roleid
       where r.rolname = '${credential.username}'`,
    );
    expect(memberships).toBe(1);
    await victim.close();
    await database.converge();
    const { count } = await firstRow(
      database,
      `select count(*)::int from pg_db_role_setting s join pg_roles r on r.oid = s.setrole
       where r.rolname = '${stolen.username}'`,
    );
    expect(count).toBe(0);
  });

  test("R5: what it litters in the maintenance database keeps no stack from being removed", async () => {
    const { username } = await honest.issue();
    await thief.query("select lo_create(4711)");
    await thief.query(`grant select on large object 4711 to "${username}"`);
    await thief.query("alter default privileges grant select on tables to public");
    await thief.query("select pg_advisory_lock(1)");
    await thief.end();
    await database.remove();
    const { count } = await firstRow(
      database,
      `select count(*)::int from pg_roles where rolname like 'mf\\_${database.tag}\\_%'`,
    );
    expect(count).toBe(0);
    await database.provision();
    stolen = await database.issuerLogin("a");
  });
});

test("C20: a role that somebody puts into a group is found by the next sweep", async () => {
  await runAs(database.superuser(), `create role app_metrics login in role ${group()}`);
  const report = await sweep(honest.deps, { actor: "sweep", mayContinue: () => true });
  expect(report.unknownMembers).toEqual([{ role: group(), member: "app_metrics" }]);
  expect(honest.metrics).toContainEqual({ metric: "UnknownMembers", value: 1 });
  await runAs(database.superuser(), "drop role app_metrics");
});

test("a stolen janitor and a stolen issuer login together gain what a latched lease owned, no more", async () => {
  const credential = await honest.issue("user-service--readwrite");
  const { username } = credential;
  const incarnation = await oidOf(database, username);
  const suffix = username.slice(-14, -12);
  const lend = async (): Promise<unknown> =>
    (
      await thief.query(`select outcome from ${schema()}.lend_${suffix}($1, $2, true)`, [
        [username],
        [incarnation],
      ])
    ).rows[0]?.outcome;
  expect(await lend()).toBe("live");
  const session = await logIn(database, credential);
  await session.query("create temp table mine (id int)"); // keeps nothing once the session is over
  const latch = () =>
    thief.query(`select outcome from ${schema()}.latch_${suffix}($1, $2, false, false)`, [
      [username],
      [incarnation],
    ]);
  expect((await latch()).rows).toEqual([{ outcome: "latched" }]);
  expect(await lend()).toBe("in use");
  await thief.query(`select * from ${schema()}.end_sessions_${suffix}($1, $2, false)`, [
    [username],
    [incarnation],
  ]);
  expect(await lend()).toBe("lent");
  const janitor = await connect(await database.janitor(), TEST_LIMITS);
  await janitor.query(`set role "${username}"`);
  expect(await sqlStateFrom(janitor.query("select * from public.orders"))).toBe("42501");
  expect(await sqlStateFrom(janitor.query(`set role ${group("readwrite")}`))).toBe("42501");
  await janitor.query("reset role");
  expect(await sqlStateFrom(janitor.query(`set role ${shard()}`))).toBe("42501");
  await latch(); // a second revoker takes it back
  expect(await sqlStateFrom(janitor.query(`set role "${username}"`))).toBe("42501");
  await janitor.end();
  await session.end().catch(() => {});
});
