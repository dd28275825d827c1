import { setTimeout } from "node:timers/promises";
import pg from "pg";
import { afterEach, beforeAll, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { issuerLoginName, janitorName } from "../../core/names.ts";
import type { Instant } from "../../core/time.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { ident, literal } from "../../lambda/postgres/connection/sql.ts";
import { readerConnections } from "../../lambda/postgres/leases/readers.ts";
import { majorOf } from "../support/evidence.ts";
import { fleetOn, granted } from "../support/fleet.ts";
import { issuerOn } from "../support/leases.ts";
import { ownReaders, UNHARMED } from "../support/own-readers.ts";
import { rolesOf } from "../support/provision-traces.ts";
import { runAs, TEST_LIMITS, type TestDatabase, unprovisioned } from "../support/provisioned.ts";
import { rotationScene } from "../support/rotations.ts";

/**
 * Nothing that Mayfly does may take its meaning from what a server, a database, a role, or a role in a
 * database defaults to: whoever may set one of these must change nothing by it.
 */
type Defaults = Readonly<Record<string, string>>;

const ISOLATION: Defaults = {
  default_transaction_isolation: "serializable",
  default_transaction_read_only: "on",
  default_transaction_deferrable: "on",
  default_tablespace: "elsewhere",
};
const REPEATABLE: Defaults = { default_transaction_isolation: "repeatable read" };
const MEANING: Defaults = {
  search_path: "public, pg_catalog",
  row_security: "off",
  client_min_messages: "error",
  exit_on_error: "on",
  "plpgsql.extra_errors": "all",
  check_function_bodies: "off",
  array_nulls: "off",
  transform_null_equals: "on",
  quote_all_identifiers: "on",
};
const TIMES: Defaults = {
  statement_timeout: "1ms",
  lock_timeout: "1ms",
  idle_in_transaction_session_timeout: "1ms",
  idle_session_timeout: "1ms",
  transaction_timeout: "5s",
};
const FORMATS: Defaults = {
  createrole_self_grant: "set, inherit",
  DateStyle: "SQL, DMY",
  IntervalStyle: "sql_standard",
  TimeZone: "Asia/Tokyo",
  standard_conforming_strings: "off",
  extra_float_digits: "-15",
  bytea_output: "escape",
  synchronous_commit: "off",
};
const ALL = [ISOLATION, MEANING, TIMES, FORMATS];

/** Where a default may be set, from the weakest on. */
const LEVELS = ["server", "database", "role", "role in database"] as const;
type Level = (typeof LEVELS)[number];
type Hostility = Readonly<Partial<Record<Level, Defaults>>>;

/**
 * Each group of defaults at each level once, in four lives, and the isolations by turns. In the
 * matrix, each default alone as well; `npm test` has two of the lives.
 */
const inMatrix = process.env.MAYFLY_TEST_POSTGRES !== undefined;
const LIVES: readonly (readonly [string, Hostility])[] = [
  ...LEVELS.slice(0, inMatrix ? 4 : 2).map((_, shift): readonly [string, Hostility] => {
    const all = shift % 2 === 0 ? ALL : [REPEATABLE, ...ALL.slice(1)];
    const groups = LEVELS.map((level, i) => [level, all[(i + shift) % all.length] ?? {}] as const);
    return [`all of them, shift ${shift + 1}`, Object.fromEntries(groups)];
  }),
  ...(inMatrix ? alone() : []),
];

function alone(): readonly (readonly [string, Hostility])[] {
  const each = Object.entries({ ...ISOLATION, ...MEANING, ...TIMES, ...FORMATS });
  return LEVELS.flatMap((level) =>
    [...each, ...Object.entries(REPEATABLE)].map(
      ([name, value]) =>
        [`${name} = ${value} of the ${level}`, { [level]: { [name]: value } }] as const,
    ),
  );
}

const own = ownReaders();
const undo: string[] = [];

/** Where the administrator may make nothing. */
const TABLESPACE = `create tablespace elsewhere location ''`;
beforeAll(async () => {
  const client = new pg.Client(own().writer.superuser());
  await client.connect();
  const { rows } = await client.query("show server_version_num");
  if (Number(rows[0]?.server_version_num) >= 150_000) {
    await client.query("set allow_in_place_tablespaces = on");
    await client.query(TABLESPACE);
  }
  await client.end();
});
afterEach(async () => {
  await onServers(undo.splice(0).toReversed(), { also: "where what it was set for is gone" });
});

/** What is set for a server is set on each; roles and databases are the writer's to alter. */
async function onServers(
  statements: readonly string[],
  { also }: { readonly also?: "where what it was set for is gone" } = {},
): Promise<void> {
  for (const server of [own().writer, own().standby]) {
    const client = new pg.Client({ ...server.superuser(), options: UNHARMED });
    await client.connect();
    try {
      await client.query("load 'plpgsql'");
      for (const statement of statements)
        if (server === own().writer || statement.startsWith("alter system"))
          await client.query(statement).catch((error: unknown) => {
            if (also === undefined) throw error;
          });
      await client.query("select pg_reload_conf()");
    } finally {
      await client.end();
    }
  }
}

/** The majors that brought a default. */
const SINCE: Defaults = {
  // only for how a test makes a tablespace
  default_tablespace: "15",
  createrole_self_grant: "16",
  transaction_timeout: "17",
};

interface Target {
  readonly databases: readonly string[];
  readonly roles: readonly string[];
}

async function apply(hostility: Hostility, target: Target, major: number): Promise<void> {
  const statements: string[] = [];
  for (const level of LEVELS)
    for (const [name, value] of Object.entries(hostility[level] ?? {})) {
      if (major < Number(SINCE[name] ?? 0)) continue;
      const text = name === "search_path" || name === "DateStyle" ? value : literal(value);
      for (const subject of subjectsOf(level, target)) {
        undo.push(`alter ${subject} reset ${name}`);
        statements.push(`alter ${subject} set ${name} = ${text}`);
      }
    }
  await onServers(statements);
}

function subjectsOf(level: Level, { databases, roles }: Target): readonly string[] {
  if (level === "server") return ["system"];
  if (level === "database") return databases.map((each) => `database ${ident(each)}`);
  if (level === "role") return roles.map((each) => `role ${ident(each)}`);
  return roles.flatMap((role) =>
    databases.map((each) => `role ${ident(role)} in database ${ident(each)}`),
  );
}

const UNRESETTABLE = "alter role current_user set transaction_read_only = on";

/** What the driver says of a connection that the server has ended. */
const ENDED = /terminat|not queryable|connection/i;

const time = {
  now: () => Date.now() as Instant,
  wait: async (length: number) => {
    await setTimeout(Math.min(length, 50));
  },
};

/** A session of the lease's, as an application would have it that minds its own settings. */
async function sessionAt(
  { host, port }: { readonly host: string; readonly port: number },
  { dbname, username, password }: Credential,
  test: TestDatabase,
): Promise<pg.Client> {
  const { ssl } = test.admin();
  const login = { host, port, database: dbname, user: username, password, ssl };
  const client = new pg.Client({ ...login, options: UNHARMED });
  client.on("error", () => {}); // a revocation ends the session; the next query says so
  await client.connect();
  return client;
}

test.each(LIVES)("a whole life is the same under %s", async (_, hostility) => {
  const { cluster, standby, writer } = own();
  const test = await unprovisioned({ cluster, limits: { maxLeases: 3, maxLeasesPerConsumer: 3 } });
  const { database, tag } = test;
  const major = await majorOf(test);
  const admins = { databases: [database], roles: [cluster.masterUsername] };
  await apply(hostility, admins, major);
  undo.push(`alter role ${ident(cluster.masterUsername)} reset role`);
  await onServers([
    `alter role ${ident(cluster.masterUsername)} set role = ${literal(test.owner)}`,
  ]);
  await test.provision();
  const logins = [issuerLoginName(tag, "a"), issuerLoginName(tag, "b"), janitorName(tag)];
  await apply(hostility, { databases: [database, "mayfly"], roles: logins }, major);

  const readers = readerConnections({
    addresses: async () => [{ host: standby.host, port: standby.port }],
    login: () => test.issuerLogin(),
    ssl: () => test.admin().ssl,
    open: (login) => connect(login, TEST_LIMITS),
    tag,
    time,
    random: Math.random,
  });
  const instances = await fleetOn(test, 4, { readers });
  const [first] = instances.instances;
  const revoke = ({ leaseId }: Credential): Promise<Receipt> =>
    revokeLease(first.deps, parseLeaseId(leaseId), { onlyIfDue: false, actor: "test" });

  const raced = granted(await instances.all(8, (each) => each.issue()));
  expect(raced).toHaveLength(3);
  for (const credential of raced)
    expect(await revoke(credential)).toMatchObject({ state: "revoked" });
  const replayed = granted(
    await instances.all(8, (each) =>
      each.issue("user-service--readonly", { idempotencyKey: "once" }),
    ),
  );
  expect(new Set(replayed.map(({ username }) => username)).size).toBe(1);

  const credential = await first.issue("user-service--readwrite");
  await own().caughtUp();
  const sessions = [
    await sessionAt(writer, credential, test),
    await sessionAt(standby, credential, test),
  ];
  await sessions[0]?.query("select lo_create(0)");
  const { leaseId } = credential;
  const renewed = await first.ask("user-service--readwrite", { action: "renew", leaseId });
  expect(renewed).toMatchObject({ leaseId });
  const receipt = await revoke(credential);
  expect(receipt).toMatchObject({ state: "revoked", blockers: [] });
  expect(receipt.cleared).toHaveLength(1);
  expect(receipt.servers?.map((each) => each.sessionsEnded)).toEqual([1, 1]);
  for (const session of sessions) await expect(session.query("select 1")).rejects.toThrow(ENDED);

  const swept = await sweep(first.deps, { actor: "sweep", mayContinue: () => true });
  expect(swept).toMatchObject({ live: 1, left: 0, server: "same", unverified: 0 });
  expect(await powerOver(test, major)).toEqual([]);
  // nobody can reset it, nor need anybody
  await runAs(await test.issuerLogin(), UNRESETTABLE);
  expect((await test.converge()).warnings).toEqual([]);
  const copy = issuerOn(test, { serverId: "copy:5432", scheduler: first.scheduler });
  const restored = await sweep(copy.deps, { actor: "sweep", mayContinue: () => true });
  expect(restored).toMatchObject({ live: 0, revoked: 1, server: "other" });
  await copy.close();
  await instances.close();
  await readers.close();
  await test.remove();
  expect(await rolesOf(test)).toEqual([]);
});

test.each([
  ["single-user", "the user"],
  ["issuer-login", "the user"],
  ["alternating-users", "the administrator"],
] as const)("a rotation is the same where %s has all of them: of %s", async (strategy, whose) => {
  const { cluster } = own();
  const scene = await rotationScene(strategy, { cluster });
  const roles = whose === "the user" ? scene.settings.usernames : [cluster.masterUsername];
  const role = Object.assign({}, ...ALL);
  await apply({ role }, { databases: [], roles }, await majorOf(scene.test));
  undo.push(...roles.map((each) => `alter role ${ident(each)} reset role`));
  await onServers(roles.map((each) => `alter role ${ident(each)} set role = 'pg_monitor'`));
  if (strategy === "issuer-login")
    for (const label of ["AWSCURRENT", "AWSPREVIOUS"])
      await runAs(scene.loginOf(label), UNRESETTABLE);
  await scene.rotate();
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  expect(scene.audit.at(-1)).toMatchObject({ event: "secret.rotated" });
});

/** From 16 on, who made a role may administer it, and no more: nobody of Mayfly's has a lease's rights. */
async function powerOver(test: TestDatabase, major: number): Promise<unknown[]> {
  if (major < 16) return [];
  return runAs(
    test.superuser(),
    `select m.member::regrole::text, m.roleid::regrole::text from pg_auth_members m
     where (m.inherit_option or m.set_option) and m.roleid::regrole::text like 'mf_${test.tag}_%'
       and m.member::regrole::text ~ 'issuer|login|mayfly_master'`,
  );
}
