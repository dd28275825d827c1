import { randomBytes } from "node:crypto";
import type { Keeper } from "../../client/keeper/keeper.ts";
import { keepLease } from "../../client/keeper/lease-keeper.ts";
import { type Proxy as LoopbackProxy, startProxy } from "../../client/proxy/proxy.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../client/time.ts";
import { startCluster } from "../support/cluster.ts";
import { LeasedDatabase } from "../support/leased-database.ts";
import { runAs } from "../support/provisioned.ts";

/** Of a lease. HikariCP keeps connections for 30 seconds at least, which must fit into half of it. */
const LIFE_SECONDS = 90;

/** What `flyway baseline` makes. Flyway may not make it with a lease: the lease would own it. */
const FLYWAY_TABLE = `
  create table public.flyway_schema_history (
    installed_rank int not null primary key, version varchar(50), description varchar(200) not null,
    type varchar(20) not null, script varchar(1000) not null, checksum int,
    installed_by varchar(100) not null, installed_on timestamp not null default now(),
    execution_time int not null, success boolean not null);
  create index on public.flyway_schema_history (success);`;

/** A database with leases, and a proxy for each role. The caller closes it. */
export class Stage {
  readonly database: LeasedDatabase;
  readonly #roles: Readonly<
    Record<"readonly" | "readwrite", { keeper: Keeper; proxy: LoopbackProxy }>
  >;
  readonly #undo: readonly (() => Promise<unknown>)[];
  /** How often a lease of each role was replaced. */
  readonly #changes = { readonly: 0, readwrite: 0 };

  /** @param binaries of another PostgreSQL than the installed one. */
  static async start(binaries?: string): Promise<Stage> {
    const own = await startCluster([], binaries);
    const undo: (() => Promise<unknown>)[] = [() => own.server.stop()];
    const { cluster } = own;
    const times = { ttlSeconds: 30, maxTtlSeconds: LIFE_SECONDS };
    const database = await LeasedDatabase.start({ cluster, ...times });
    undo.push(() => database.close());
    const { owner } = database.test;
    await runAs(database.test.superuser(), `set role ${owner}; ${FLYWAY_TABLE}`);
    const start = async (role: "readonly" | "readwrite") => {
      const keeper = keepLease({ source: database.source(`user-service--${role}`) });
      undo.push(() => keeper.close());
      const proxy = await startProxy({
        keeper,
        listen: { port: 0 },
        servers: makeServers({ roots: [cluster.ca], time: systemTime }),
        applicationName: "clients",
        onEvent: () => {},
        time: systemTime,
        random: randomBytes,
      });
      undo.push(() => proxy.close());
      await keeper.current();
      return { keeper, proxy };
    };
    const roles = { readonly: await start("readonly"), readwrite: await start("readwrite") };
    return new Stage(database, roles, undo);
  }

  private constructor(
    database: LeasedDatabase,
    roles: Readonly<Record<"readonly" | "readwrite", { keeper: Keeper; proxy: LoopbackProxy }>>,
    undo: readonly (() => Promise<unknown>)[],
  ) {
    this.database = database;
    this.#roles = roles;
    this.#undo = undo;
    for (const role of ["readonly", "readwrite"] as const)
      roles[role].keeper.on("replaced", () => {
        this.#changes[role] += 1;
      });
  }

  /** How often the leases were replaced, of the role that it happened to least often. */
  get changes(): number {
    return Math.min(this.#changes.readonly, this.#changes.readwrite);
  }

  /** How long two leases are valid together. Milliseconds. */
  get overlap(): number {
    return this.#roles.readonly.keeper.overlap ?? 0;
  }

  /** For a client: where the port is, and a user and a password that nobody has. */
  environment(role: "readonly" | "readwrite"): Readonly<Record<string, string>> {
    const { port } = this.#roles[role].proxy;
    const dbname = this.database.test.database;
    return {
      DATABASE_URL: `postgresql://nobody:wrong@127.0.0.1:${port}/${dbname}`,
      PGHOST: "127.0.0.1",
      PGPORT: String(port),
      PGDATABASE: dbname,
      PGUSER: "nobody",
      PGPASSWORD: "wrong",
    };
  }

  async close(): Promise<void> {
    for (const step of this.#undo.toReversed()) await step();
  }
}
