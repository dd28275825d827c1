import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { examineAll } from "../../core/doctor/examiner.ts";
import { type Finding, type Fix, worstOf } from "../../core/doctor/finding.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import type { Instant } from "../../core/time.ts";
import type { Login } from "../../lambda/postgres/connection/login.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { DATABASE_CHECKS, postgresDoctor } from "../../lambda/postgres/doctor/postgres-doctor.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { type Issuer, issuerOn } from "../support/leases.ts";
import { provisioned, runAs, TEST_LIMITS, type TestDatabase } from "../support/provisioned.ts";

/** What the server must be started with, to be broken in all these ways. */
const SETTINGS = [
  "autovacuum=off",
  "max_prepared_transactions=4",
  "wal_level=logical",
  "shared_preload_libraries=pg_stat_statements",
  "pg_stat_statements.max=400",
];

let own: OwnServer;
let db: TestDatabase;
let leases: Issuer;
let major: number;

beforeAll(async () => {
  own = await startCluster(SETTINGS);
  db = await provisioned({ cluster: own.cluster });
  leases = issuerOn(db);
  const [row] = await sudo("show server_version_num");
  major = Math.floor(Number(row?.server_version_num) / 10_000);
});
afterAll(async () => {
  await leases?.close();
  await own?.server.stop();
});

const sudo = (text: string, database = db.database): Promise<Record<string, unknown>[]> =>
  runAs(db.superuser(database), text);

const examine = (
  plan: ProvisionPlan = db.plan,
  ssl = db.admin().ssl,
): Promise<readonly Finding[]> =>
  examineAll([
    postgresDoctor({
      plan,
      issuer: () => db.issuerLogin(),
      janitor: () => db.janitor(),
      readers: async () => [],
      ssl: () => ssl,
      limits: TEST_LIMITS,
      time: { now: () => Date.now() as Instant },
    }),
  ]);

const wrongOf = (findings: readonly Finding[]): readonly Finding[] =>
  findings.filter(({ verdict }) => verdict !== "ok");

const checksOf = (findings: readonly Finding[]): readonly string[] => [
  ...new Set(findings.map(({ check }) => check)),
];

/** Run what a fix says, in its database and as its user. */
async function runFix(fix: Extract<Fix, { kind: "sql" }>): Promise<void> {
  const { database, as, statements } = fix;
  const client = await connect(db.superuser(database), TEST_LIMITS);
  try {
    await client.query(`set session authorization ${pg.escapeIdentifier(as)}`);
    for (const each of statements) expect(each).toMatch(/^[^\p{Cc}\p{Cf}]*;$/u);
    await client.query(statements.join("\n"));
  } finally {
    await client.end();
  }
}

/** One way to break a database, and what must be found. */
interface Breakage {
  readonly breaks: string | (() => Promise<unknown>);
  readonly database?: "maintenance";
  readonly found: readonly string[];
  readonly verdict: Finding["verdict"];
  /** What the evidence has in it. */
  readonly evidence: string;
  /** Without it the printed SQL mends it. */
  readonly step?: {
    /** What the printed step says. */
    readonly says: string;
    readonly done: string | (() => Promise<unknown>);
    readonly database?: "maintenance";
  };
  /** What is to be done after the SQL. */
  readonly afterwards?: () => Promise<unknown>;
  /** What is taken away afterwards. */
  readonly cleans?: string;
  readonly only?: (version: number) => boolean;
  readonly plan?: () => ProvisionPlan;
}

const group = (role = "readonly"): string => db.plan.roles[role]?.groupRole ?? "";
const shard = (): string => `mf_${db.tag}_issuer_aa`;
const loginName = (): string => `mf_${db.tag}_login_a`;
const maintenance = (): string => db.plan.maintenanceDatabase;

const doSql = (text: () => string, database?: "maintenance") => () =>
  sudo(text(), database === undefined ? db.database : maintenance());

/** Run a statement on one function of the verbs. */
const alterVerb = (name: string, statement: string) =>
  sudo(
    `do $$ begin execute (select format('${statement}', oid::regprocedure) from pg_proc where proname = '${name}' and pronamespace = 'mf_${db.tag}_v1'::regnamespace); end $$`,
    maintenance(),
  );

const asOwner = (text: string): string => `set role "${db.owner}"; ${text}; reset role`;

const split = (version: number): boolean => version >= 16;

/** Takes 10,000 numbers of transactions. */
const BURN = `
create temp table burnt (n int);
do $$ begin
  for i in 1..10050 loop
    begin insert into burnt values (i); exception when others then raise; end;
  end loop;
end $$;
drop table burnt`;

const LEFT_BY_LEASES = (): string => `
create table public.left_over (id serial primary key);
alter table public.left_over owner to "${group()}";
create view public.left_view as select 1 as one;
alter view public.left_view owner to "${group()}";
create function public.back_door() returns int language sql security definer as 'select 1';
alter function public.back_door() owner to "${group()}";
do $$ begin execute format('alter large object %s owner to %I', lo_create(0), '${group()}'); end $$;
alter default privileges for role "${group()}" in schema public grant select on tables to public`;

const WITH_STATEMENTS = async (): Promise<void> => {
  await sudo("create extension pg_stat_statements schema public");
  await sudo("select public.pg_stat_statements_reset()");
  await sudo("create role gone login password 'x' valid until '2100-01-01'");
  const login = db.as("gone", "x");
  const statements = Array.from({ length: 450 }, (_, n) => `select ${"1,".repeat(n)}1`);
  await runAs(login, statements.join(";"));
  await sudo("drop role gone");
};

/** Ways to break a database at once: what they do is apart. */
const BREAKAGES: Readonly<Record<string, Readonly<Record<string, Breakage>>>> = {
  "roles, settings and privileges": {
    "an issuer role may not create roles": {
      breaks: doSql(() => `alter role "${shard()}" nocreaterole`),
      found: ["own-roles"],
      verdict: "broken",
      evidence: "CREATEROLE",
    },
    "a login is a superuser": {
      breaks: doSql(() => `alter role "${loginName()}" bypassrls`),
      found: ["own-roles"],
      verdict: "broken",
      evidence: "BYPASSRLS",
      step: {
        says: "NOSUPERUSER NOREPLICATION NOBYPASSRLS NOCREATEDB",
        done: doSql(
          () => `ALTER ROLE "${loginName()}" NOSUPERUSER NOREPLICATION NOBYPASSRLS NOCREATEDB`,
        ),
      },
    },
    "an issuer role has no ADMIN on a group": {
      breaks: () => runAs(db.admin(), `revoke "${group()}" from "${shard()}"`),
      found: ["issuer-admin"],
      verdict: "broken",
      evidence: "may not grant",
    },
    "everybody may connect to the maintenance database": {
      breaks: doSql(() => `grant connect on database ${maintenance()} to public`),
      found: ["maintenance-database"],
      verdict: "broken",
      evidence: "everybody",
    },
    "a login is a member of a group": {
      breaks: doSql(() => `create role stranger login in role "${group()}"`),
      found: ["group-members", "lasting-logins"],
      verdict: "broken",
      evidence: "never expires",
      cleans: "drop role stranger",
    },
    "a login is a member of rds_iam": {
      breaks: doSql(() => `create role rds_iam; grant rds_iam to "${loginName()}"`),
      found: ["rds-iam"],
      verdict: "broken",
      evidence: "RDS refuses its password",
      cleans: "drop role rds_iam",
    },
    "RDS restricts password commands": {
      breaks: doSql(
        () => `alter database ${maintenance()} set rds.restrict_password_commands = 'on'`,
      ),
      found: ["restricted-passwords"],
      verdict: "broken",
      evidence: "rds.restrict_password_commands is on",
      step: {
        says: "set rds.restrict_password_commands to 0",
        done: doSql(() => `alter database ${maintenance()} set rds.restrict_password_commands = 0`),
      },
      cleans: "alter database MAINTENANCE reset rds.restrict_password_commands",
    },
    "passwords become MD5": {
      breaks: doSql(() => `alter database ${maintenance()} set password_encryption = md5`),
      found: ["password-encryption"],
      verdict: "warning",
      evidence: "md5 (database)",
    },
    "statements are logged": {
      breaks: doSql(() => `alter database ${maintenance()} set log_statement = 'all'`),
      found: ["log-statement"],
      verdict: "warning",
      evidence: "log_statement is all",
      step: {
        says: "set log_parameter_max_length to 0",
        done: doSql(() => `alter database ${maintenance()} set log_parameter_max_length = 0`),
      },
      cleans:
        "alter database MAINTENANCE reset log_parameter_max_length; alter database MAINTENANCE reset log_statement",
    },
    "logins may open more connections than there are": {
      breaks: doSql(() => `alter role "${loginName()}" connection limit 500`),
      found: ["connections"],
      verdict: "warning",
      evidence: "max_connections is 200",
      step: {
        says: "set max_connections to 5",
        done: doSql(() => `alter role "${loginName()}" connection limit 20`),
      },
    },
    "an event trigger runs in the maintenance database": {
      breaks: doSql(
        () =>
          "create function public.trap() returns event_trigger language plpgsql as 'begin end'; create event trigger trap on ddl_command_end execute function public.trap()",
        "maintenance",
      ),
      found: ["event-triggers"],
      verdict: "broken",
      evidence: "the roles that issue",
      cleans: "MAINTENANCE: drop event trigger trap; drop function public.trap()",
    },
    "a group lost a privilege on a table": {
      breaks: doSql(() => asOwner(`revoke select on public.orders from "${group()}"`)),
      found: ["group-privileges"],
      verdict: "broken",
      evidence: "SELECT on public.orders",
    },
    "a group lost a default privilege": {
      breaks: doSql(
        () =>
          `alter default privileges for role "${db.owner}" in schema public revoke select on tables from "${group()}"`,
      ),
      found: ["group-privileges"],
      verdict: "broken",
      evidence: "SELECT by default",
    },
    "a group has more than the configuration says": {
      breaks: doSql(() => asOwner(`grant delete on public.orders to "${group()}"`)),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "DELETE on table public.orders",
    },
    "a group owns what leases left": {
      breaks: doSql(LEFT_BY_LEASES),
      found: ["group-owned"],
      verdict: "broken",
      evidence: "function public.back_door()",
      afterwards: () => db.converge(),
      cleans: "drop table public.left_over",
    },
    "policies name a group": {
      breaks: doSql(() =>
        asOwner(
          `create table public.rows (id int, seen bool); insert into public.rows values (1, true), (2, false);
         alter table public.rows enable row level security;
         create policy mine on public.rows to "${group()}" using (true);
         create policy "said \u202e" on public.rows to "${group()}" using (id::text <> E'say "a\\nb"');
         create policy "only seen" on public.rows as restrictive to "${group()}" using (seen) with check (false)`,
        ),
      ),
      found: ["policy-groups"],
      verdict: "broken",
      evidence: "DROP OWNED BY",
      cleans: "drop table public.rows",
    },
    "a login that never expires may become somebody who reads the tables": {
      breaks: doSql(
        () =>
          "create role reads; grant select on public.orders to reads; create role becomes login noinherit in role reads",
      ),
      found: ["lasting-logins"],
      verdict: "warning",
      evidence: "becomes can log in",
      step: {
        says: 'ALTER ROLE "becomes" VALID UNTIL',
        done: doSql(() => "drop owned by reads; drop role becomes, reads"),
      },
    },
    "a login that never expires reads everything": {
      breaks: doSql(() => "create role reads_all login in role pg_read_all_data"),
      found: ["lasting-logins"],
      verdict: "warning",
      evidence: "reads_all can log in",
      step: {
        says: 'ALTER ROLE "reads_all" VALID UNTIL',
        done: doSql(() => "drop role reads_all"),
      },
    },
    "a login that never expires reaches the tables": {
      breaks: doSql(
        () => `create role lasting login password 'x'; grant select on public.orders to lasting`,
      ),
      found: ["lasting-logins"],
      verdict: "warning",
      evidence: "lasting can log in, has no VALID UNTIL",
      step: {
        says: 'ALTER ROLE "lasting" VALID UNTIL',
        done: doSql(() => `alter role "lasting" valid until '2099-01-01'`),
      },
      cleans: "drop owned by lasting; drop role lasting",
    },
  },
  "the same checks otherwise": {
    "everybody may write what may be issued": {
      breaks: doSql(() => `grant update on mf_${db.tag}.declared to public`, "maintenance"),
      found: ["verbs"],
      verdict: "broken",
      evidence: "everybody has UPDATE there",
      step: {
        says: "take back what the evidence names",
        done: doSql(() => `revoke update on mf_${db.tag}.declared from public`, "maintenance"),
      },
    },
    "a stranger is a member of an issuer role, and an issuer role of the owner": {
      breaks: doSql(
        () =>
          `create role intruder; grant "${shard()}" to intruder; grant "${db.owner}" to "${shard()}"`,
      ),
      found: ["group-members"],
      verdict: "broken",
      evidence: "intruder is a member of mf_",
      cleans: "drop role intruder",
    },
    "the janitor reads everything": {
      breaks: doSql(() => `grant pg_read_all_data to "mf_${db.tag}_janitor"`),
      found: ["group-members"],
      verdict: "broken",
      evidence: "pg_read_all_data, which Mayfly does not need",
    },
    "everybody may empty a table": {
      breaks: doSql(() => asOwner("grant truncate on public.orders to public")),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "TRUNCATE on table public.orders",
    },
    "everybody may create things": {
      breaks: doSql(
        () =>
          `create schema wide authorization "${db.owner}"; ${asOwner("grant usage, create on schema wide to public")}`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "CREATE on schema wide",
      cleans: "drop schema wide cascade",
    },
    "everybody may change a column": {
      breaks: doSql(() =>
        asOwner(
          "create table wide.open (id int, secret int); grant update (secret) on wide.open to public",
        ),
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "UPDATE on column wide.open.secret",
    },
    "a group can log in": {
      breaks: doSql(() => `alter role "${group()}" login`),
      found: ["own-roles", "connections"],
      verdict: "warning",
      evidence: "NOLOGIN",
    },
    "a verb is gone": {
      breaks: doSql(
        () =>
          `do $$ begin execute (select 'drop function ' || oid::regprocedure from pg_proc where proname = 'issue_aa' and pronamespace = 'mf_${db.tag}_v1'::regnamespace); end $$`,
        "maintenance",
      ),
      found: ["verbs"],
      verdict: "broken",
      evidence: "issue_aa does not exist",
      step: { says: "mayfly converge", done: () => db.converge() },
    },
    "an issuer role has a group's privileges": {
      breaks: doSql(() =>
        split(major)
          ? `grant "${group()}" to "${shard()}" with inherit true`
          : `alter role "${shard()}" inherit`,
      ),
      found: ["issuer-admin"],
      verdict: "warning",
      evidence: "may only grant them",
    },
    "somebody may connect to the maintenance database": {
      breaks: () =>
        runAs(
          db.admin(),
          `create role visitor; grant connect on database ${maintenance()} to visitor`,
        ),
      found: ["maintenance-database"],
      verdict: "broken",
      evidence: "may connect to it",
      cleans: "drop role visitor",
    },
    "a group is a member of another role": {
      breaks: doSql(() => `create role parent; grant parent to "${group()}"`),
      found: ["group-members"],
      verdict: "broken",
      evidence: "member of parent",
      cleans: "drop role parent",
    },
    "slow statements are logged": {
      breaks: doSql(() => `alter database ${maintenance()} set log_min_duration_statement = 0`),
      found: ["log-statement"],
      verdict: "warning",
      evidence: "log_min_duration_statement is 0 ms",
      step: {
        says: "set log_parameter_max_length to 0",
        done: doSql(() => `alter database ${maintenance()} set log_parameter_max_length = 0`),
      },
      cleans:
        "alter database MAINTENANCE reset log_parameter_max_length; alter database MAINTENANCE reset log_min_duration_statement",
    },
    "an event trigger runs when Mayfly grants": {
      breaks: doSql(
        () =>
          "create function public.trap() returns event_trigger language plpgsql as 'begin end'; create event trigger trap on ddl_command_end when tag in ('GRANT') execute function public.trap()",
      ),
      found: ["event-triggers"],
      verdict: "warning",
      evidence: "when Mayfly grants",
      cleans: "drop event trigger trap; drop function public.trap()",
    },
    "a group may create schemas": {
      breaks: () => runAs(db.admin(), `grant create on database ${db.database} to "${group()}"`),
      found: ["group-connect"],
      verdict: "warning",
      evidence: "CREATE on database",
    },
    "a group has nothing on a table of somebody else's": {
      breaks: () => runAs(db.admin(), "create table public.theirs (id int)"),
      found: ["group-privileges"],
      verdict: "broken",
      evidence: "SELECT on public.theirs",
      afterwards: () => db.converge(),
      cleans: "drop table public.theirs",
    },
    "everybody may do more than the configuration says of a group": {
      breaks: doSql(() => asOwner("grant delete on public.orders to public")),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "DELETE on table public.orders",
    },
    "statements of users that are gone fill pg_stat_statements": {
      breaks: WITH_STATEMENTS,
      found: ["statement-statistics"],
      verdict: "warning",
      evidence: "ended leases crowd out",
      cleans: "drop extension pg_stat_statements",
    },
  },
  "ways in": {
    "a verb belongs to somebody else": {
      breaks: () => alterVerb("note_watched_aa", "alter function %s owner to current_user"),
      found: ["verbs"],
      verdict: "broken",
      evidence: "note_watched_aa belongs to",
      step: {
        says: "ALTER … OWNER TO",
        done: () => alterVerb("note_watched_aa", `alter function %s owner to "${shard()}"`),
      },
    },
    "a stranger may call a verb": {
      breaks: () => alterVerb("end_sessions_aa", "grant execute on function %s to public"),
      found: ["verbs"],
      verdict: "broken",
      evidence: "can be called by everybody",
      step: {
        says: "REVOKE",
        done: () => alterVerb("end_sessions_aa", "revoke execute on function %s from public"),
      },
    },
    "a verb cannot be called": {
      breaks: doSql(
        () =>
          `do $$ begin execute (select 'revoke all on function ' || oid::regprocedure || ' from "${loginName()}"' from pg_proc where proname = 'latch_aa' and pronamespace = 'mf_${db.tag}_v1'::regnamespace); end $$`,
        "maintenance",
      ),
      found: ["verbs"],
      verdict: "broken",
      evidence: "latch_aa cannot be called",
      step: { says: "mayfly converge", done: () => db.converge() },
    },
    "a verb has other code": {
      breaks: () =>
        sudo(
          `do $$ declare f text; begin select pg_get_functiondef(oid) into f from pg_proc where proname = 'renew_aa' and pronamespace = 'mf_${db.tag}_v1'::regnamespace; execute replace(f, 'begin', 'begin perform 1;'); end $$`,
          maintenance(),
        ),
      found: ["verbs"],
      verdict: "broken",
      evidence: "renew_aa has other code",
      step: { says: "mayfly converge", done: () => db.converge() },
    },
    "a group may not connect": {
      breaks: () =>
        runAs(
          db.admin(),
          `revoke connect on database ${db.database} from public, "${group()}"; grant connect on database ${db.database} to "${group("readwrite")}"`,
        ),
      found: ["group-connect"],
      verdict: "broken",
      evidence: "may not connect",
      cleans: "grant connect on database APPLICATION to public",
    },
    "a group cannot enter a schema": {
      only: (version) => version >= 15,
      breaks: () =>
        sudo(
          `revoke usage on schema public from public; do $$ declare r record; begin for r in select pg_get_userbyid(a.grantor) as grantor from pg_namespace, aclexplode(nspacl) a where nspname = 'public' and a.grantee = '"${group()}"'::regrole loop execute format('set role %I', r.grantor); execute 'revoke usage on schema public from "${group()}"'; reset role; end loop; end $$`,
        ),
      found: ["group-privileges"],
      verdict: "broken",
      evidence: "USAGE on schema public",
      cleans: "grant usage on schema public to public",
    },
    "pg_stat_statements keeps verifiers": {
      breaks: doSql(() =>
        "create extension pg_stat_statements schema public; select public.pg_stat_statements_reset(); alter database DB set pg_stat_statements.track = 'all'".replace(
          "DB",
          db.database,
        ),
      ),
      found: ["statement-statistics"],
      verdict: "warning",
      evidence: "pg_stat_statements.track is all",
      step: {
        says: "set pg_stat_statements.track to top",
        done: doSql(() => `alter database ${db.database} set pg_stat_statements.track = 'top'`),
      },
      cleans: "drop extension pg_stat_statements",
    },
    "the administrator has no ADMIN OPTION": {
      only: (version) => !split(version),
      breaks: doSql(() => `revoke admin option for "${group()}" from "${db.admin().username}"`),
      found: ["upgrade"],
      verdict: "warning",
      evidence: "has no ADMIN OPTION on 1",
    },
    "a lease was made without ADMIN OPTION": {
      only: (version) => !split(version),
      breaks: async () => {
        const { username } = await leases.issue();
        await sudo(
          `do $$ declare m text; begin for m in select pg_get_userbyid(member) from pg_auth_members where roleid = '"${username}"'::regrole loop execute format('revoke %I from %I', '${username}', m); end loop; end $$`,
        );
        return username;
      },
      found: ["upgrade"],
      verdict: "warning",
      evidence: "nobody could end them",
    },
  },
  "other kinds of privilege": {
    "a group may run a function": {
      breaks: doSql(
        () =>
          `create function public."run \u202e"(int, text[]) returns int language sql security definer as 'select 1';
           grant execute on function public."run \u202e"(int, text[]) to "${group()}" with grant option;
           create procedure public.proceed(inout n int) language sql as 'select 1';
           create aggregate public.together(int) (sfunc = int4pl, stype = int);
           revoke execute on function public."run \u202e"(int, text[]) from public;
           grant execute on procedure public.proceed(int) to "${group()}";
           grant execute on function public.together(int) to "${group("readwrite")}";
           grant execute on function pg_catalog.pg_read_file(text) to "${group()}"`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "(SECURITY DEFINER: runs as ",
      cleans:
        'drop function public."run \u202e"; drop procedure public.proceed; drop aggregate public.together(int)',
    },
    "an aggregate, and a function of the server": {
      breaks: async () => {},
      found: ["group-excess"],
      verdict: "warning",
      evidence: "EXECUTE on function pg_catalog.pg_read_file(pg_catalog.text)",
    },
    "everybody may run a function with the rights of its owner": {
      breaks: doSql(() =>
        asOwner(
          "create function public.elevated() returns int language sql security definer as 'select 1'",
        ),
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "everybody may, and the configuration does not say that of the groups: EXECUTE on",
      cleans: "drop function public.elevated()",
    },
    "a group and everybody may use foreign data": {
      breaks: doSql(
        () =>
          `create foreign data wrapper far; create server "far away" foreign data wrapper far;
           grant usage on foreign data wrapper far to "${group()}";
           grant usage on foreign server "far away" to "${group()}", public`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: 'USAGE on foreign server "far away"',
      cleans: "drop foreign data wrapper far cascade",
    },
    "a group may use a language and a type": {
      breaks: doSql(
        () =>
          `create type public.mood as enum ('fine'); grant usage on type public.mood to "${group()}"; grant usage on language plpgsql to "${group()}"`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "USAGE on language plpgsql",
      cleans: "drop type public.mood",
    },
    "a group and everybody may read a large object": {
      breaks: doSql(
        () =>
          `do $$ begin execute format('grant select, update on large object %s to %I', lo_create(4711), '${group()}'); end $$; grant select on large object 4711 to public`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "UPDATE on large object 4711",
      cleans: "select lo_unlink(4711)",
    },
    "a group gets privileges on what is to come": {
      breaks: doSql(
        () =>
          `alter default privileges for role "${db.owner}" in schema public grant execute on functions to "${group()}";
           alter default privileges for role "${db.owner}" grant usage on types to "${group()}";
           alter default privileges for role "${db.owner}" grant usage, create on schemas to "${group()}"`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "EXECUTE on functions to come in schema public",
    },
    "a group gets privileges on large objects to come": {
      only: (version) => version >= 18,
      breaks: doSql(
        () =>
          `alter default privileges for role "${db.owner}" grant select on large objects to "${group()}"`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "SELECT on large objects to come",
    },
    "a group and everybody may change settings": {
      only: (version) => version >= 15,
      breaks: doSql(
        () =>
          `grant set, alter system on parameter log_statement to "${group()}"; grant set on parameter "plugin.setting" to public`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "ALTER SYSTEM on parameter log_statement",
    },
    "a group may use types of the server, whose names are several words": {
      breaks: doSql(
        () =>
          `grant usage on type pg_catalog.int4, pg_catalog.timestamptz, pg_catalog."char" to "${group()}";
           create domain public."Of Mine" as text; grant usage on type public."Of Mine" to "${group()}"`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "USAGE on type pg_catalog.timestamptz",
      cleans: 'drop domain public."Of Mine"',
    },
    "a group may change a setting whose name is made of keywords": {
      only: (version) => version >= 15,
      breaks: doSql(() => `grant set on parameter "app.user" to "${group()}"`),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "SET on parameter",
    },
    "a group may run a function beside a procedure of its name": {
      breaks: doSql(
        () =>
          `create function public.twice(int) returns int language sql as 'select 1';
           create procedure public.twice(out n int) language sql as 'select 1';
           create procedure public.thrice(int) language sql as 'select 1';
           create procedure public.thrice(out "n m" public.orders) language sql as 'select null::public.orders';
           create function public.many(int, variadic text[], out n int) language sql as 'select 1';
           grant execute on function public.twice(int) to "${group()}";
           grant execute on procedure public.twice(out int) to "${group()}";
           grant execute on procedure public.thrice(in int), public.thrice(out public.orders) to "${group()}";
           grant execute on function public.many to "${group()}"`,
      ),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "EXECUTE on procedure public.twice(OUT n integer)",
      cleans:
        "drop function public.twice(int), public.many; drop procedure public.twice(out int), public.thrice(in int), public.thrice(out public.orders)",
    },
    "a group may fill a tablespace": {
      breaks: doSql(() => `grant create on tablespace pg_default to "${group()}"`),
      found: ["group-excess"],
      verdict: "warning",
      evidence: "CREATE on tablespace pg_default",
    },
  },
  "what cannot be entered": {
    "a database allows no connections": {
      breaks: () => sudo(`alter database ${db.database} with allow_connections false`, "postgres"),
      found: ["group-connect"],
      verdict: "broken",
      evidence: "allows no connections",
    },
  },
  "another configuration": {
    "a database is gone": {
      breaks: async () => {},
      plan: () => ({ ...db.plan, databases: [db.database, "nowhere"] }),
      found: ["group-connect"],
      verdict: "broken",
      evidence: "there is no database nowhere",
      step: { says: '"databases"', done: async () => {} },
    },
    "a role has no leases left": {
      breaks: () => leases.issue(),
      plan: () => ({
        ...db.plan,
        roles: Object.fromEntries(
          Object.entries(db.plan.roles).map(([name, role]) => [name, { ...role, maxLeases: 1 }]),
        ),
      }),
      found: ["lease-budget"],
      verdict: "broken",
      evidence: " of 1 leases",
      step: { says: "set maxLeases of readonly to 2", done: async () => {} },
    },
    "a table of the configuration is gone": {
      breaks: async () => {},
      plan: () => ({
        ...db.plan,
        roles: Object.fromEntries(
          Object.entries(db.plan.roles).map(([name, role]) => [
            name,
            {
              ...role,
              privileges: {
                ...role.privileges,
                select: [...(role.privileges.select ?? []), "public.nothing"],
              },
            },
          ]),
        ),
      }),
      found: ["group-privileges"],
      verdict: "broken",
      evidence: "there is no table public.nothing",
      step: { says: "create public.nothing", done: async () => {} },
    },
  },
};

/** Every change of roles' plans in one. */
const merged = (
  all: ProvisionPlan["roles"],
  next: ProvisionPlan["roles"],
): ProvisionPlan["roles"] =>
  Object.fromEntries(
    Object.entries(all).map(([name, role]) => {
      const changed = Object.entries(next[name] ?? {}).filter(
        ([key, value]) =>
          JSON.stringify(value) !== JSON.stringify(db.plan.roles[name]?.[key as keyof typeof role]),
      );
      return [name, { ...role, ...Object.fromEntries(changed) }];
    }),
  );

const run = (what: string | (() => Promise<unknown>)): Promise<unknown> =>
  typeof what === "string" ? sudo(what) : what();

async function clean(text: string): Promise<void> {
  const inMaintenance = text.startsWith("MAINTENANCE: ");
  const statement = text
    .replace("MAINTENANCE: ", "")
    .replaceAll("MAINTENANCE", maintenance())
    .replaceAll("APPLICATION", db.database);
  await sudo(statement, inMaintenance ? maintenance() : db.database);
}

describe("the doctor of a database", () => {
  test("finds nothing wrong with a fresh one, and looks at everything", async () => {
    const findings = await examine();
    expect(wrongOf(findings)).toEqual([]);
    expect(worstOf(findings)).toBe("ok");
    expect(checksOf(findings).toSorted()).toEqual(DATABASE_CHECKS.toSorted());
    expect(findings.filter(({ evidence }) => evidence === "")).toEqual([]);
  });

  test.each(Object.keys(BREAKAGES))(
    "finds what is broken, and what it prints mends it: %s",
    async (batch) => {
      const breakages = Object.entries(BREAKAGES[batch] ?? {}).filter(
        ([, { only }]) => only?.(major) !== false,
      );
      const plans = breakages.flatMap(([, { plan }]) => plan?.() ?? []);
      const plan: ProvisionPlan = {
        ...Object.assign({}, db.plan, ...plans),
        roles: plans.map(({ roles }) => roles).reduce(merged, db.plan.roles),
        databases: [...new Set([db.plan, ...plans].flatMap(({ databases }) => databases))],
      };
      for (const [, { breaks }] of breakages) await run(breaks);
      const broken = wrongOf(await examine(plan));
      expect(checksOf(broken).toSorted()).toEqual(
        [...new Set(breakages.flatMap(([, { found }]) => found))].toSorted(),
      );
      for (const [name, { found, verdict, evidence, step }] of breakages) {
        const mine = broken.filter(
          (each) => each.check === found[0] && each.evidence.includes(evidence),
        );
        expect
          .soft(
            mine.map((each) => each.verdict),
            name,
          )
          .toContain(verdict);
        expect
          .soft(
            mine.map(({ fix }) => fix?.kind),
            name,
          )
          .toContain(step === undefined ? "sql" : "step");
        const said = mine.flatMap(({ fix }) => (fix?.kind === "step" ? [fix.text] : []));
        expect.soft(said.join("\n"), name).toContain(step?.says ?? "");
      }
      for (const { fix } of broken) if (fix?.kind === "sql") await runFix(fix);
      for (const [, { step }] of breakages) if (step !== undefined) await run(step.done);
      for (const [, { afterwards }] of breakages) await afterwards?.();
      expect(wrongOf(await examine())).toEqual([]);
      for (const [, { cleans }] of breakages) if (cleans !== undefined) await clean(cleans);
    },
  );

  test("everybody may run ordinary functions, those of triggers and extensions, and what no group can reach", async () => {
    await sudo(`grant create on database ${db.database} to "${db.owner}"`);
    await sudo(
      asOwner(
        `create function public.plain() returns int language sql as 'select 1';
         create function public.fired() returns trigger language plpgsql security definer as 'begin return new; end';
         create function public.packaged() returns int language sql security definer as 'select 1';
         create schema shut;
         create function shut.elevated() returns int language sql security definer as 'select 1'`,
      ),
    );
    await sudo("alter extension plpgsql add function public.packaged()");
    expect(wrongOf(await examine())).toEqual([]);
    await sudo("alter extension plpgsql drop function public.packaged()");
    await sudo(
      "drop function public.plain(), public.fired(), public.packaged(); drop schema shut cascade",
    );
    await sudo(`revoke create on database ${db.database} from "${db.owner}"`);
  });

  test("a subject of what is granted beyond the configuration is one group, kind and schema", async () => {
    await sudo(
      asOwner(
        `create view public.seen as select 1 as one; create sequence public.counted;
         grant update, delete on public.seen, public.orders to "${group()}";
         grant usage on sequence public.counted to "${group()}", public;
         grant update on public.seen to public`,
      ),
    );
    const subjects = wrongOf(await examine()).map(({ subject }) => subject);
    const where = `in schema public, database ${db.database}`;
    await sudo("drop view public.seen; drop sequence public.counted");
    await sudo(asOwner(`revoke update, delete on public.orders from "${group()}"`));
    expect(subjects).toEqual([
      `${group()}: sequence ${where}`,
      `${group()}: table ${where}`,
      `PUBLIC: sequence ${where}`,
      `PUBLIC: table ${where}`,
    ]);
  });

  test("of a group that is gone it says so, and what everybody may all the same", async () => {
    await sudo(asOwner("grant truncate on public.orders to public"));
    await sudo(
      "create function public.elevated() returns int language sql security definer as 'select 1'",
    );
    const [role] = Object.values(db.plan.roles);
    if (role === undefined) throw new Error("the plan has roles");
    const gone = { ...role, groupRole: `mf_${db.tag}_group_gone` };
    const broken = wrongOf(await examine({ ...db.plan, roles: { gone, ...db.plan.roles } }));
    await sudo("drop function public.elevated()");
    await sudo(asOwner("revoke truncate on public.orders from public"));
    expect(broken.filter(({ verdict }) => verdict === "unknown")).toEqual([]);
    expect(
      broken.filter(({ check }) => check === "group-excess").map(({ subject }) => subject),
    ).toEqual(["table", "function"].map((kind) => expect.stringMatching(`^PUBLIC: ${kind} in`)));
  });

  test("thousands of one kind hide nothing of another", async () => {
    await sudo(
      `do $$ begin for n in 1..10001 loop
         execute format('grant select on large object %s to %I', lo_create(900000 + n), '${group()}');
       end loop; end $$;
       create type public.mood as enum ('fine'); grant usage on type public.mood to "${group()}"`,
    );
    const subjects = wrongOf(await examine()).map(({ subject }) => subject);
    await sudo(
      "select lo_unlink(oid) from pg_largeobject_metadata where oid > 900000; drop type public.mood",
    );
    expect(subjects).toEqual([
      `${group()}: large object, database ${db.database}`,
      `${group()}: type in schema public, database ${db.database}`,
    ]);
  });

  test("finds snapshots that are held for long, in sessions and slots", async () => {
    const holder = await connect(db.admin(), TEST_LIMITS);
    await holder.query("begin isolation level repeatable read; select 1");
    await sudo("select pg_create_logical_replication_slot('left', 'pgoutput')");
    await sudo(BURN);
    const broken = wrongOf(await examine());
    expect(checksOf(broken)).toEqual(["long-transactions"]);
    const [session, slot] = broken;
    expect(session?.subject).toContain(db.admin().username);
    if (session?.fix?.kind !== "sql") throw new Error("a session is ended by SQL");
    await runFix(session.fix);
    expect(slot?.fix).toEqual({
      kind: "step",
      text: expect.stringContaining("SELECT pg_drop_replication_slot('left');"),
    });
    await sudo("SELECT pg_drop_replication_slot('left')");
    await eventually(async () => wrongOf(await examine()).length === 0);
    await holder.end().catch(() => {});
  });

  test("finds what a lease has prepared, and ends it as the lease", async () => {
    const { username, password } = await leases.issue("user-service--readwrite");
    const login: Login = db.as(username, password);
    await runAs(
      login,
      "begin; lock table public.orders in row exclusive mode; insert into public.orders select from public.orders where false; prepare transaction E'stuck\\nok  \\u202e'",
    );
    const broken = wrongOf(await examine());
    expect(checksOf(broken)).toEqual(["prepared-transactions"]);
    const [found] = broken;
    if (found?.fix?.kind !== "sql") throw new Error("it is ended by SQL");
    expect(found.subject).toContain("stuck\\u000aok  \\u202e in");
    expect(found.fix).toEqual({
      kind: "sql",
      database: db.database,
      as: username,
      statements: ["ROLLBACK PREPARED  E'stuck\\u000aok  \\u202e';"],
    });
    await runFix(found.fix);
    expect(wrongOf(await examine())).toEqual([]);
  });

  test("a policy for everybody hides what the policy for the group hid", async () => {
    const lease = await leases.issue();
    const seen = () => runAs(db.as(lease.username, lease.password), "select id from public.rows");
    await run(BREAKAGES["roles, settings and privileges"]?.["policies name a group"]?.breaks ?? "");
    try {
      const before = await seen();
      expect(before).toEqual([{ id: 1 }]);
      for (const { fix } of wrongOf(await examine())) if (fix?.kind === "sql") await runFix(fix);
      await runAs(
        db.as(lease.username, lease.password),
        `drop owned by "${group()}" cascade`,
      ).catch(() => {});
      const [said] = await sudo(
        "select pg_get_expr(polqual, polrelid) as text from pg_policy where polname like 'said%'",
      );
      expect(said?.text).toContain('say "a\nb"');
      expect(await seen().catch(() => "nothing")).toEqual(before);
    } finally {
      await sudo("drop table public.rows");
      await db.converge();
    }
  });

  test("says what cannot be looked at, and goes on", async () => {
    const findings = await examineAll([
      postgresDoctor({
        plan: db.plan,
        issuer: () => db.issuerLogin(),
        janitor: async () => ({ ...(await db.janitor()), password: db.as("x", "wrong").password }),
        readers: async () => [{ server: "replica-1", error: new Error("Gone") }],
        ssl: () => db.admin().ssl,
        limits: TEST_LIMITS,
        time: { now: () => Date.now() as Instant },
      }),
    ]);
    expect(checksOf(wrongOf(findings))).toEqual(["group-connect", "readers"]);
    expect(
      findings.find(({ check, verdict }) => check === "group-connect" && verdict === "broken")?.fix,
    ).toEqual({ kind: "step", text: expect.stringContaining("mayfly converge") });
    expect(findings.find(({ check }) => check === "verbs")?.verdict).toBe("ok");
  });

  test("a server without TLS is a warning", async () => {
    const findings = await examine(db.plan, false);
    expect(wrongOf(findings)).toMatchObject([
      {
        check: "certificate",
        verdict: "warning",
        fix: { text: 'set "tls" to "verify-full" and deploy' },
      },
    ]);
  });
});
