import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EmbeddedPostgres } from "../../local/postgres/postgres.ts";
import { startStandby } from "../../local/postgres/postgres-standby.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";

let own: OwnServer;
let standby: EmbeddedPostgres;

beforeAll(async () => {
  own = await startCluster();
  const { MAYFLY_TEST_POSTGRES: binaries } = process.env;
  standby = await startStandby(own.server, binaries === undefined ? {} : { binaries });
});

afterAll(async () => {
  await standby?.stop();
  await own?.server.stop();
});

async function ask(server: EmbeddedPostgres, sql: string, as?: pg.ClientConfig) {
  const client = new pg.Client({ ...server.superuser(), ...as });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

test("a standby replays what the writer commits, roles and their passwords included", async () => {
  await ask(own.server, "create role replayed login password 'as on the writer'");
  const as = { user: "replayed", password: "as on the writer" };
  const [seen] = await eventually(() =>
    ask(standby, "select current_user as who, pg_is_in_recovery() as standby", as),
  );
  expect(seen).toEqual({ who: "replayed", standby: true });
});

test("it refuses every change, and comes back after a crash", async () => {
  await expect(ask(standby, "create role another")).rejects.toMatchObject({ code: "25006" });
  await standby.crash();
  await eventually(() => standby.restart().then(() => true), { every: 100 });
  await ask(own.server, "create role later");
  await eventually(
    async () => (await ask(standby, "select 1 from pg_roles where rolname = 'later'")).length === 1,
  );
});

test("a standby with paused replay has new changes only after it resumes", async () => {
  await ask(standby, "select pg_wal_replay_pause()");
  await eventually(
    async () =>
      (await ask(standby, "select pg_get_wal_replay_pause_state() as state"))[0]?.state ===
      "paused",
  );
  await ask(own.server, "create role paused");
  const seen = () => ask(standby, "select 1 from pg_roles where rolname = 'paused'");
  expect(await seen()).toEqual([]);
  await ask(standby, "select pg_wal_replay_resume()");
  await eventually(async () => (await seen()).length === 1);
});
