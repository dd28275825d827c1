import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { folderOf } from "../support/copied-server.ts";
import { eventually } from "../support/eventually.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import {
  runAs,
  type TestDatabase,
  unprovisioned as unprovisionedOn,
} from "../support/provisioned.ts";

const unprovisioned = (before?: (owner: string) => string): Promise<TestDatabase> =>
  unprovisionedOn(before && { before: ({ owner }) => before(owner) });

/** The refusal's message, and that nothing was left behind. */
async function refusalOf(test: TestDatabase): Promise<string> {
  const before = await tracesOf(test);
  const error: unknown = await test.provision().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "ConfigError" });
  expect(await tracesOf(test)).toEqual(before);
  expect(await rolesOf(test)).toEqual([]);
  return (error as Error).message;
}

const remedyIn = (message: string): string =>
  /have a DBA run: (.*?;)( then .*)?$/m.exec(message)?.[1] ?? "";

/** An event trigger whose function inserts into a table that it finds by its search_path alone. */
const auditing = (owner: string, event: string, name = "audit") => `
create table public.said (at timestamptz default pg_catalog.now());
create function public.audit() returns event_trigger language plpgsql as
  $$ begin insert into said default values; end $$;
alter table public.said owner to ${owner};
alter function public.audit() owner to ${owner};
create event trigger "${name}" on ${event} execute function public.audit()`;

describe("event triggers", () => {
  test.each([
    ["ddl_command_end", "audit"],
    ["ddl_command_start", 'odd "name"'],
    ["ddl_command_end when tag in ('ALTER DEFAULT PRIVILEGES')", "audit"],
    ["ddl_command_start when tag in ('GRANT', 'CREATE TABLE')", "audit"],
  ])("one on %s that fails is named before anything is touched", async (event, name) => {
    const database = await unprovisioned((owner) =>
      auditing(owner, event, name.replaceAll('"', '""')),
    );
    const message = await refusalOf(database);
    expect(message).toContain(
      `- in database "${database.database}": granting and revoking run the event trigger ${name}, and failed (code 42P01); mend the function`,
    );
    const remedy = remedyIn(message);
    expect(remedy).toBe(`ALTER EVENT TRIGGER "${name.replaceAll('"', '""')}" DISABLE;`);
    await runAs(database.superuser(), remedy);
    await database.provision();
  });

  test("one on sql_drop, which the last entry of default privileges meets, is named too", async () => {
    const database = await unprovisioned((owner) => auditing(owner, "sql_drop", "drops"));
    await database.provision();
    const roles = Object.fromEntries(
      Object.entries(database.plan.roles).map(([name, role]) => [
        name,
        { ...role, privileges: { select: ["public.orders"] } },
      ]),
    );
    const less = { ...database.plan, roles };
    const before = await tracesOf(database);
    const refusal = await database.provision(less).then(String, String);
    expect(refusal).toContain("run the event trigger drops, and failed (code 42P01)");
    expect(await tracesOf(database)).toEqual(before);
    await runAs(database.superuser(), remedyIn(refusal));
    await database.provision(less);
  });

  test("one that passes, is disabled, is a replica's or is of another kind stands in nobody's way", async () => {
    const database = await unprovisioned(
      (owner) => `${auditing(owner, "ddl_command_end", "mended")};
      alter function public.audit() security definer set search_path = public;
      create function public.fails() returns event_trigger language plpgsql as
        $$ begin raise exception 'no'; end $$;
      create event trigger off on ddl_command_end execute function public.fails();
      alter event trigger off disable;
      create event trigger replica on ddl_command_end execute function public.fails();
      alter event trigger replica enable replica;
      create event trigger other on ddl_command_end when tag in ('CREATE VIEW')
        execute function public.fails();
      create event trigger dropping on sql_drop execute function public.fails()`,
    );
    await database.provision();
    const [row] = await runAs(
      database.superuser(),
      "select count(*)::int as said from public.said",
    );
    expect(row?.said).toBeGreaterThan(0);
  });

  test("one that came later is named by converge and by a removal, which goes on from there", async () => {
    const database = await unprovisioned();
    await database.provision();
    const { owner } = database;
    await runAs(database.superuser(), auditing(owner, "ddl_command_end"));
    await runAs(
      database.superuser(),
      `set session_replication_role = replica; revoke select on public.said from ${owner};
       set role ${owner}; grant select on public.said to mf_${database.tag}_group_readonly`,
    );
    expect(await database.converge().then(String, String)).toContain(
      "the event trigger audit, and",
    );
    const refusal = await database.remove().then(String, String);
    expect(refusal).toContain(
      `in database "${database.database}": granting and revoking run the event trigger audit, and failed (code 42P01)`,
    );
    await runAs(database.superuser(), remedyIn(refusal));
    await database.remove();
    expect(await rolesOf(database)).toEqual([]);
  });

  test("one at login that fails is named with the database, before anything is touched", async () => {
    const database = await unprovisioned();
    const [server] = await runAs(database.superuser(), "show server_version_num");
    if (Number(server?.server_version_num) < 170_000) return;
    const other = await unprovisioned((owner) => auditing(owner, "login"));
    const plan = { ...database.plan, databases: [database.database, other.database] };
    const before = await tracesOf(database);
    const refusal = await database.provision(plan).then(String, String);
    expect(await tracesOf(database)).toEqual(before);
    expect(refusal).toContain(`a login event trigger of the database "${other.database}" failed`);
    await runAs(database.superuser(), remedyIn(refusal));
    // it has its own owner, who has nothing to do with this
    expect(await database.provision(plan).then(String, String)).not.toContain(
      "login event trigger",
    );
  });
});

describe("pg_hba.conf", () => {
  let undo = async (): Promise<void> => {};
  afterEach(() => undo());

  test("a room that it does not let the administrator into is not left behind", async () => {
    const database = await unprovisioned();
    const file = join(await folderOf(database), "pg_hba.conf");
    const former = readFileSync(file, "utf8");
    const reload = async (content: string, works: boolean) => {
      writeFileSync(file, content);
      await runAs(database.superuser(), "select pg_reload_conf()");
      const enter = () =>
        runAs(database.admin("postgres"), "select 1").then(
          () => true,
          () => false,
        );
      await eventually(async () => (await enter()) === works, { every: 20 });
    };
    undo = () => reload(former, true);
    const databases = `select datname from pg_database where datname = 'mayfly'`;
    // other tests of this file have made it
    await runAs(database.superuser(), "drop database if exists mayfly");
    await reload(
      `hostssl all rdsadmin samehost scram-sha-256\nhostssl ${database.database} all samehost scram-sha-256\n`,
      false,
    );
    const refusal = await database.provision().then(String, String);
    expect(refusal).toContain(
      `the database rejected step "connect to mayfly" (code 28000); pg_hba.conf must have a line that lets "mayfly_master" into the database "mayfly"`,
    );
    expect(await runAs(database.superuser(), databases)).toEqual([]);
    expect(await rolesOf(database)).toEqual([]);
    appendFileSync(file, "hostssl mayfly all samehost scram-sha-256\n");
    await runAs(database.superuser(), "select pg_reload_conf()");
    await eventually(() =>
      database.provision().then(
        () => true,
        () => false,
      ),
    );
  });
});
