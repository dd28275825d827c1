import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import type { EmbeddedPostgres } from "../../local/postgres/postgres.ts";
import { startStandby } from "../../local/postgres/postgres-standby.ts";
import type { TestCluster } from "./cluster.ts";
import { type OwnServer, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

/** A writer and a streaming standby of a test file's own. */
export interface OwnReaders {
  readonly cluster: TestCluster;
  readonly writer: EmbeddedPostgres;
  readonly standby: EmbeddedPostgres;
  /** The standby's name in receipts. */
  readonly server: string;
  /** Resolves when the standby has replayed all that is committed now. */
  caughtUp(): Promise<void>;
  /** Resolves when nothing is replayed any more. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Run SQL on the standby as the superuser. */
  ask(sql: string): Promise<Record<string, unknown>[]>;
  /** Log in there with a credential. The caller ends it. */
  logIn(credential: Pick<Credential, "dbname" | "username" | "password">): Promise<pg.Client>;
}

export function ownReaders(): () => OwnReaders {
  let own: OwnServer | undefined;
  let standby: EmbeddedPostgres | undefined;
  beforeAll(async () => {
    own = await startCluster();
    const { MAYFLY_TEST_POSTGRES: binaries } = process.env;
    standby = await startStandby(own.server, binaries ? { binaries } : {});
  });
  afterAll(async () => {
    await standby?.stop();
    await own?.server.stop();
  });
  return () => {
    if (own === undefined || standby === undefined)
      throw new Error("the servers are started before the first test");
    return readersOf(own, standby);
  };
}

function readersOf({ cluster, server: writer }: OwnServer, standby: EmbeddedPostgres): OwnReaders {
  const ask: OwnReaders["ask"] = (sql) => run(standby.superuser(), sql);
  const { host, port, ca } = standby;
  return {
    cluster,
    writer,
    standby,
    server: `${host}:${port}`,
    ask,
    caughtUp: async () => {
      const mark = `mark_${randomUUID().replaceAll("-", "")}`;
      await run(writer.superuser(), `create role ${mark}`);
      await eventually(
        async () => (await ask(`select 1 from pg_roles where rolname = '${mark}'`)).length === 1,
      );
      await run(writer.superuser(), `drop role ${mark}`);
    },
    pause: async () => {
      await ask("select pg_wal_replay_pause()");
      await eventually(
        async () =>
          (await ask("select pg_get_wal_replay_pause_state() as state"))[0]?.state === "paused",
      );
    },
    resume: async () => {
      await ask("select pg_wal_replay_resume()");
    },
    logIn: async ({ dbname: database, username: user, password }) => {
      const client = new pg.Client({ host, port, database, user, password, ssl: { ca } });
      client.on("error", () => {}); // a revocation ends the session; the next query says so
      await client.connect();
      return client;
    },
  };
}

/** For sessions of tests, whatever else a test makes the default. */
export const UNHARMED = [
  "default_transaction_isolation=read\\ committed",
  "default_transaction_read_only=off",
  "exit_on_error=off",
  "statement_timeout=0",
  "lock_timeout=0",
  "idle_session_timeout=0",
]
  .map((setting) => `-c ${setting}`)
  .join(" ");

async function run(config: pg.ClientConfig, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ ...config, options: UNHARMED });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
