import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { base32 } from "../../core/base32.ts";
import { formatLeaseName } from "../../core/leases/lease-name.ts";
import { type SweepReport, sweep } from "../../core/leases/operation/sweep.ts";
import { groupRoleName, issuerRoleName } from "../../core/names.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { firstRow } from "../support/evidence.ts";
import { type Issuer, issuerOn } from "../support/leases.ts";
import { provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";

// What a sweep costs while many leases stay in quarantine, each of which owns a function: the sweeper's,
// which backs off, and an operator's, which tries all.

const COUNT = Number(process.env.MAYFLY_QUARANTINED ?? 5_000);
const SHARDS = 64;

let own: OwnServer;
let database: TestDatabase;
let instance: Issuer;

beforeAll(async () => {
  own = await startCluster();
  const limits = { maxLeases: 2 * COUNT, maxLeasesPerConsumer: 2 * COUNT };
  database = await provisioned({ cluster: own.cluster, shards: SHARDS, limits });
  instance = issuerOn(database);
  for (let shard = 0; shard < SHARDS; shard++) await fill(shard);
  await runAs(database.superuser(), "analyze");
});
afterAll(async () => {
  await instance.close();
  await own.server.stop();
});

/** Leases of one shard that are due, made by hand: issuing them would take longer and show nothing more. */
async function fill(shard: number): Promise<void> {
  const { tag } = database;
  const names = Array.from({ length: Math.ceil(COUNT / SHARDS) }, () =>
    formatLeaseName({
      tag,
      role: "readonly",
      consumer: "user-service",
      digest: "00000000",
      shard,
      random: base32(randomBytes(8), 12),
    }),
  ).map((name) => `'${name}'`);
  const issuer = issuerRoleName(tag, shard);
  const each = (body: string): string =>
    `do $$ declare n text; begin foreach n in array array[${names.join(",")}] loop ${body} end loop; end $$`;
  await runAs(
    database.superuser(),
    `set role ${issuer}; ${each(
      `execute format('create role %I login valid until ''2001-01-01'' in role %I %s', n,
         '${groupRoleName(tag, "readonly")}', case when
         current_setting('server_version_num')::int < 160000 then 'admin ${issuer}' else '' end);
       execute format('comment on role %I is %L', n, '{"v": 1, "issued": 978307200000, "max": 978393600000}');`,
    )}; reset role; ${each(
      `execute format('create function public.%I() returns int language sql as ''select 1''', 'f' || n);
       execute format('alter function public.%I() owner to %I', 'f' || n, n);`,
    )}`,
  );
}

/** Processor time of the server's process behind the warm connection. Unit: milliseconds. */
async function cpu(): Promise<number> {
  const { pid } = await firstRow(
    database,
    `select pid from pg_stat_activity where usename like 'mf\\_${database.tag}\\_login\\__'`,
  );
  const [, rest = ""] = /\) (.*)$/m.exec(readFileSync(`/proc/${String(pid)}/stat`, "utf8")) ?? [];
  const fields = rest.split(" ");
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

async function timed(name: string, backsOff: boolean): Promise<SweepReport> {
  const sentBefore = instance.roundTrips();
  const before = await cpu();
  const start = performance.now();
  const report = await sweep(instance.deps, { actor: "sweep", mayContinue: () => true, backsOff });
  const took = performance.now() - start;
  console.log(
    `${name}: ${(took / 1_000).toFixed(1)} s, ${((await cpu()) - before) / 1_000} s of the server's processor, ${instance.roundTrips() - sentBefore} calls; quarantined ${report.quarantined}, left ${report.left}`,
  );
  return report;
}

test(`${COUNT} leases in quarantine`, async () => {
  await instance.deps.engine.sighting();
  const all = { left: 0, revoked: 0, quarantined: Math.ceil(COUNT / SHARDS) * SHARDS };
  expect(await timed("all are due", false)).toMatchObject(all);
  // an hour and more ago
  await runAs(
    database.superuser(),
    `do $$ declare r record; begin
       for r in select rolname, regexp_replace(shobj_description(oid, 'pg_authid'), '"latched": ?[0-9]+',
           '"latched": 1700000000000') as said from pg_roles where rolname like 'mf\\_${database.tag}\\_readonly\\_%' loop
         execute format('comment on role %I is %L', r.rolname, r.said);
       end loop; end $$`,
  );
  for (let n = 1; n <= 3; n++) expect(await timed(`the sweeper, ${n}`, true)).toMatchObject(all);
  expect(await timed("an operator", false)).toMatchObject(all);
});
