import { randomBytes } from "node:crypto";
import type { Keeper } from "../../client/keeper/keeper.ts";
import { keepLease } from "../../client/keeper/lease-keeper.ts";
import { type Proxy as LoopbackProxy, startProxy } from "../../client/proxy/proxy.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../client/time.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { LeasedDatabase } from "../support/leased-database.ts";
import { runAs } from "../support/provisioned.ts";
import { Agent } from "./agent.ts";
import type { Client } from "./client.ts";

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

/** What a stage has beside the database. */
export interface StageOptions {
  /** The `native` folder of another PostgreSQL than the installed one. */
  readonly binaries?: string;
  /** Whether there is an agent. */
  readonly hasAgent?: boolean;
  /** Of a lease, at most. */
  readonly lifeSeconds?: number;
}

/** A database with leases, a proxy for each role, and an agent. The caller closes it. */
export class Stage {
  readonly database: LeasedDatabase;
  readonly #roles: Readonly<
    Record<"readonly" | "readwrite", { keeper: Keeper; proxy: LoopbackProxy }>
  >;
  readonly #agent: Agent | undefined;
  readonly #cluster: TestCluster;
  readonly #undo: readonly (() => Promise<unknown>)[];
  /** How often a lease of each role was replaced. */
  readonly #changes = { readonly: 0, readwrite: 0 };

  static async start(options: StageOptions = {}): Promise<Stage> {
    const { binaries, hasAgent = false, lifeSeconds = LIFE_SECONDS } = options;
    const own = await startCluster([], binaries);
    const undo: (() => Promise<unknown>)[] = [() => own.server.stop()];
    const { cluster } = own;
    const times = { ttlSeconds: Math.min(30, lifeSeconds), maxTtlSeconds: lifeSeconds };
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
    const agent = hasAgent ? await Agent.start(database, cluster.ca) : undefined;
    if (agent !== undefined) undo.push(() => agent.close());
    return new Stage(database, cluster, roles, agent, undo);
  }

  private constructor(
    database: LeasedDatabase,
    cluster: TestCluster,
    roles: Readonly<Record<"readonly" | "readwrite", { keeper: Keeper; proxy: LoopbackProxy }>>,
    agent: Agent | undefined,
    undo: readonly (() => Promise<unknown>)[],
  ) {
    this.database = database;
    this.#cluster = cluster;
    this.#roles = roles;
    this.#agent = agent;
    this.#undo = undo;
    for (const role of ["readonly", "readwrite"] as const)
      roles[role].keeper.on("replaced", () => {
        this.#changes[role] += 1;
      });
  }

  /** How often the leases were replaced, of whoever it happened to least often. */
  get changes(): number {
    const { readonly, readwrite } = this.#changes;
    return Math.min(readonly, readwrite, this.#agent?.changes ?? readonly);
  }

  /** How long two leases are valid together. Milliseconds. */
  get overlap(): number {
    return this.#roles.readonly.keeper.overlap ?? 0;
  }

  /** PEM of the authority that the server's certificate is checked by. */
  get ca(): string {
    return this.#cluster.ca;
  }

  /** How a client finds its database, and at the proxy a user and a password that nobody has. */
  environmentOf({
    role = "readonly",
    way,
  }: Pick<Client, "role" | "way">): Readonly<Record<string, string>> {
    const dbname = this.database.test.database;
    if (way !== undefined) {
      const { host, port } = this.#cluster;
      const server = { PGHOST: host, PGPORT: String(port), PGDATABASE: dbname };
      return { ...this.#agent?.env, ...server };
    }
    const { port } = this.#roles[role].proxy;
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
