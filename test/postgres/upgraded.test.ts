import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { Secret } from "../../core/secret.ts";
import type { Login } from "../../lambda/postgres/connection/login.ts";
import { makeConverge } from "../../lambda/postgres/provisioning/converge/converge.ts";
import { makeProvision } from "../../lambda/postgres/provisioning/provision.ts";
import { makeRemove } from "../../lambda/postgres/provisioning/remove/remove.ts";
import { type EmbeddedPostgres, startPostgres } from "../../local/postgres/postgres.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { issuerOn, logIn } from "../support/leases.ts";
import { rolesOf, tracesOf } from "../support/provision-traces.ts";
import { provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";
import { rotatedPlan } from "../support/rotated.ts";

const MASTER = "mayfly_master";

const majorOf = async ({ superuser }: TestDatabase): Promise<number> => {
  const [row] = await runAs(superuser(), "show server_version_num");
  return Math.floor(Number(row?.server_version_num) / 10_000);
};

/**
 * Put the memberships of a tag's roles as they are after an upgrade from 15: all of them the bootstrap
 * superuser's, with what `pg_dumpall` of 15 writes. `written`: 15 knew the administrator's rights.
 */
async function upgrade(test: TestDatabase, written: boolean, users: readonly string[] = []) {
  const { tag, superuser } = test;
  const ours = await rolesOf(test);
  const rows = await runAs(
    superuser(),
    `select distinct r.rolname as role, u.rolname as member, m.admin_option as admin
     from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles u on u.oid = m.member
     where (r.rolname like 'mf\\_${tag}\\_%' or u.rolname like 'mf\\_${tag}\\_%')
       and u.rolname <> '${MASTER}'`,
  );
  await runAs(
    superuser(),
    `do $$ declare held record; begin
      for held in select r.rolname as role, u.rolname as member, b.rolname as grantor
          from pg_auth_members m join pg_roles r on r.oid = m.roleid join pg_roles u on u.oid = m.member
          join pg_roles b on b.oid = m.grantor
          where r.rolname like 'mf\\_${tag}\\_%' or u.rolname like 'mf\\_${tag}\\_%' loop
        begin
          execute format('revoke %I from %I granted by %I cascade', held.role, held.member, held.grantor);
        exception when undefined_object or insufficient_privilege then
          null; -- went with another
        end;
      end loop;
    end $$`,
  );
  const admin = (role: string): string => `grant "${role}" to ${MASTER} with admin option`;
  await runAs(
    superuser(),
    [
      ...rows.map(
        ({ role, member, admin: administers }) =>
          `grant "${String(role)}" to "${String(member)}"${administers === true ? " with admin option" : ""}`,
      ),
      ...(written ? [...ours, ...users].map(admin) : []),
    ].join(";\n"),
  );
}

const remedyIn = (message: string): string => /have a DBA run: (.*;)/.exec(message)?.[1] ?? "";

test("after an upgrade from 15 everything goes on where the rights were written down", async () => {
  const database = await provisioned();
  if ((await majorOf(database)) < 16) return;
  await upgrade(database, true);
  await database.provision();
  await database.provision({ ...database.plan, shards: 3 });
  expect(await database.converge({ ...database.plan, shards: 3 })).toMatchObject({ rolesMade: 0 });
  const issuer = issuerOn(database);
  await (await logIn(database, await issuer.issue("user-service--readonly"))).end();
  await issuer.close();
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
});

test("where they were not, a deployment and a removal name the SQL, and touch nothing", async () => {
  const database = await provisioned();
  if ((await majorOf(database)) < 16) return;
  await upgrade(database, false);
  const before = await tracesOf(database);
  const refusals = [
    await database.provision().then(String, String),
    await database.converge().then(String, String),
    await database.remove().then(String, String),
  ];
  expect(await tracesOf(database)).toEqual(before);
  const [remedy = ""] = refusals.map(remedyIn);
  expect(remedy).toContain(groupRoleName(database.tag, "readwrite"));
  expect(remedy).toMatch(/ TO "mayfly_master" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;$/);
  for (const refusal of refusals) expect(remedyIn(refusal)).toBe(remedy);
  await runAs(database.superuser(), remedy);
  await database.provision();
  await database.converge();
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
});

test("a removal alone is all that the named SQL makes possible, too", async () => {
  const database = await provisioned();
  if ((await majorOf(database)) < 16) return;
  await upgrade(database, false);
  await runAs(database.superuser(), remedyIn(await database.remove().then(String, String)));
  await database.remove();
  expect(await rolesOf(database)).toEqual([]);
});

test("before 16 the administrator's rights over all that it makes are written down", async () => {
  const database = await provisioned();
  if ((await majorOf(database)) >= 16) return;
  const { plan } = await rotatedPlan(database);
  await database.provision(plan);
  const administered = () =>
    runAs(
      database.superuser(),
      `select r.rolname from pg_roles r left join pg_shdescription c on c.objoid = r.oid
       where (r.rolname like 'mf\\_${database.tag}\\_%'
         or c.description like 'mayfly rotated user of ${database.tag}/%')
         and not exists (select from pg_auth_members m join pg_roles u on u.oid = m.member
           where m.roleid = r.oid and u.rolname = '${MASTER}' and m.admin_option)`,
    );
  expect(await administered()).toEqual([]);
  const before = await tracesOf(database);
  await database.provision(plan);
  expect(await tracesOf(database)).toEqual(before);
  // made by an earlier version
  await runAs(database.superuser(), `revoke mf_${database.tag}_login_a from ${MASTER}`);
  await database.provision(plan);
  expect(await administered()).toEqual([]);
  await database.remove(plan);
  expect(await rolesOf(database)).toEqual([]);
});

const DUMPALL = "/usr/lib/postgresql/15/bin/pg_dumpall";
const NEXT = join(
  import.meta.dirname,
  `../matrix/node_modules/postgres16-${process.platform}-${process.arch}/native`,
);
/** They come with Debian's 15, and with the matrix. */
const isThere = existsSync(DUMPALL) && existsSync(NEXT);
const fromMajor15 = /postgres15-/.test(process.env.MAYFLY_TEST_POSTGRES ?? "");

describe.runIf(fromMajor15 && isThere)("what pg_dumpall of 15 wrote, restored into 16", () => {
  let old: OwnServer;
  let database: TestDatabase;
  let dump = "";
  beforeAll(async () => {
    old = await startCluster();
    database = await provisioned({ cluster: old.cluster });
    dump = execFileSync(DUMPALL, argsOf(old.server), { env: envOf(old.server), encoding: "utf8" });
  });
  afterAll(() => old.server.stop());

  const argsOf = (server: EmbeddedPostgres): string[] => {
    const { host, port, user } = server.superuser();
    return ["-h", String(host), "-p", String(port), "-U", String(user)];
  };
  const envOf = (server: EmbeddedPostgres) => ({ PGPASSWORD: String(server.superuser().password) });

  test.each([
    ["as it is, without anybody's right: the SQL is named once", (text: string) => text, 1],
    [
      "as that of 16 writes it, which a server's own upgrade runs",
      (text: string) => text.replace(/^(GRANT .*) GRANTED BY "?\w+"?;$/gm, "$1;"),
      0,
    ],
  ])("%s", async (_, written, refusals) => {
    const next = await startPostgres({
      masterUsername: MASTER,
      masterPassword: old.cluster.masterPassword,
      database: "orders",
      forceTls: false,
      binaries: NEXT,
    });
    try {
      const { password } = old.server.superuser();
      const superuser = (): Login => {
        const { port } = next;
        const secret = new Secret(String(password));
        return { ...database.superuser("postgres"), port, password: secret, ssl: false };
      };
      const client = new pg.Client(next.superuser());
      await client.connect();
      await client.query(`alter role rdsadmin password ${client.escapeLiteral(String(password))}`);
      await client.end();
      spawnSync(DUMPALL.replace("pg_dumpall", "psql"), [...argsOf(next), "-X", "-d", "postgres"], {
        env: envOf(old.server),
        input: written(dump),
      });
      const server = { ...database.deps.server, port: next.port };
      const deps = { ...database.deps, server };
      const { ca: __, ...rest } = database.plan;
      const plan: ProvisionPlan = { ...rest, tls: "plaintext" };
      const repaired = async (run: () => Promise<unknown>): Promise<number> => {
        for (let times = 0; ; times++) {
          const refusal = await run().then(
            () => undefined,
            (error: Error) => error.message,
          );
          if (refusal === undefined) return times;
          const sql = refusal.split("\n").flatMap((line) => remedyIn(line));
          await runAs(superuser(), sql.join("\n"));
        }
      };
      // the restore has lost this one too, which is not Mayfly's to name as long as nothing is to be granted
      if (refusals > 0)
        await runAs(
          superuser(),
          `grant "${database.owner}" to ${MASTER} with inherit false, set true`,
        );
      const counts = [
        await repaired(() => makeProvision(deps)(plan, database.stack)),
        await repaired(() => makeConverge(deps)(plan, database.stack.id)),
        await repaired(() => makeRemove(deps)(plan, database.stack)),
      ];
      expect(counts.reduce((sum, each) => sum + each)).toBe(refusals);
      const [left] = await runAs(
        superuser(),
        `select count(*)::int as roles from pg_roles where rolname like 'mf\\_${database.tag}\\_%'`,
      );
      expect(left).toEqual({ roles: 0 });
    } finally {
      await next.stop();
    }
  });
});
