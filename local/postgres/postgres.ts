import { chmodSync } from "node:fs";
import pg from "pg";
import { tempFolder } from "../temp-folder.ts";
import { installedBinaries, runnableBinaries, serverUser } from "./postgres-binaries.ts";
import { prepareFolder, SUPERUSER } from "./postgres-folder.ts";
import { freePort, HOST, Server } from "./postgres-server.ts";

/** What an `AWS::RDS::DBInstance` of the template asks for. */
export interface PostgresOptions {
  /** The master user: CREATEDB and CREATEROLE, no superuser, as on RDS. */
  readonly masterUsername: string;
  readonly masterPassword: string;
  /** The first database; the master owns it. */
  readonly database: string;
  /** Refuse connections without TLS, as `rds.force_ssl` does. */
  readonly forceTls: boolean;
  /** A `native` folder of another PostgreSQL major. @default - the installed one, 18 */
  readonly binaries?: string;
  /** Further settings, each `name=value`. */
  readonly settings?: readonly string[];
  /** Called when the server ends unexpectedly. */
  readonly onDeath?: (line: string) => void;
}

/** A running server of our own, in a temp folder, on a free port of the loopback address. */
export interface EmbeddedPostgres {
  readonly host: string;
  readonly port: number;
  /** PEM file of the authority that signed the server's certificate. */
  readonly caFile: string;
  readonly ca: string;
  readonly masterUsername: string;
  /** The bootstrap superuser, which RDS keeps to itself: for tests that break things. */
  superuser(database?: string): pg.ClientConfig;
  /** Everything the server has logged. */
  log(): string;
  /** End the server as a crash would: no shutdown, no checkpoint. */
  crash(): Promise<void>;
  /** Stop in order, and keep the data. */
  shutDown(): Promise<void>;
  /** Start again after `crash` or `shutDown`, on the same port and data. */
  restart(): Promise<void>;
  /** Stop the server and remove its folder. Safe to repeat. */
  stop(): Promise<void>;
}

/** Start PostgreSQL the way RDS presents it: TLS, SCRAM, a master who is no superuser. */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const { path: folder, remove } = tempFolder("postgres");
  try {
    chmodSync(folder, 0o755);
    const binaries = options.binaries ?? installedBinaries();
    const native = runnableBinaries(binaries, user, folder);
    const { forceTls, masterUsername, settings = [], onDeath } = options;
    const { ca, caFile, password } = await prepareFolder({
      folder,
      binaries,
      native,
      user,
      forceTls,
    });
    const port = await freePort();
    const server = new Server({ native, folder, port, user, settings, onDeath });
    await server.start();
    const embedded = embeddedServer({ server, port, password, masterUsername, ca, caFile, remove });
    await becomeRds(embedded.superuser(), options);
    return embedded;
  } catch (error) {
    remove();
    throw error;
  }
}

/** What a running server is known by. */
export interface RunningServer {
  readonly server: Server;
  readonly port: number;
  /** The superuser's. */
  readonly password: string;
  readonly masterUsername: string;
  readonly ca: string;
  readonly caFile: string;
  /** Remove its folder. */
  readonly remove: () => void;
}

/** A running server, as the rest of the runner and the tests use it. */
export const embeddedServer = (running: RunningServer): EmbeddedPostgres => {
  const { server, port, password, masterUsername, ca, caFile, remove } = running;
  return {
    host: HOST,
    port,
    ca,
    caFile,
    masterUsername,
    superuser: (database = "postgres") => ({
      host: HOST,
      port,
      user: SUPERUSER,
      password,
      database,
      ssl: { ca },
    }),
    log: () => server.log,
    crash: () => server.end("SIGKILL"),
    shutDown: () => server.end("SIGINT"),
    restart: () => server.start(),
    stop: async () => {
      await server.end("SIGINT");
      remove();
    },
  };
};

/** Give the cluster the roles that RDS has: `rds_superuser`, and a master user who is a member. */
async function becomeRds(superuser: pg.ClientConfig, options: PostgresOptions): Promise<void> {
  const client = new pg.Client(superuser);
  await client.connect();
  const master = client.escapeIdentifier(options.masterUsername);
  try {
    await client.query("create role rds_superuser nologin");
    await client.query("grant pg_monitor, pg_signal_backend to rds_superuser with admin option");
    await client.query(
      `create role ${master} login createdb createrole in role rds_superuser password ${client.escapeLiteral(options.masterPassword)}`,
    );
    await client.query(
      `create database ${client.escapeIdentifier(options.database)} owner ${master}`,
    );
  } finally {
    await client.end();
  }
}
