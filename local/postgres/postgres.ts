import { chmodSync } from "node:fs";
import pg from "pg";
import { tempFolder } from "../temp-folder.ts";
import { installedBinaries, runnableBinaries, serverUser } from "./postgres-binaries.ts";
import { prepareFolder, SUPERUSER } from "./postgres-folder.ts";
import { freePort, HOST, Server } from "./postgres-server.ts";

/** The settings of an `AWS::RDS::DBInstance` of the template. */
export interface PostgresOptions {
  /** The master user. As on RDS it has CREATEDB and CREATEROLE and is no superuser. */
  readonly masterUsername: string;
  readonly masterPassword: string;
  /** Name of the first database. The master user owns it. */
  readonly database: string;
  /** Refuse connections without TLS, like `rds.force_ssl`. */
  readonly forceTls: boolean;
  /** The `native` folder of another PostgreSQL major. @default - the installed PostgreSQL 18 */
  readonly binaries?: string;
  /** Further settings, each `name=value`. */
  readonly settings?: readonly string[];
  /** Called when the server ends unexpectedly. */
  readonly onDeath?: (line: string) => void;
}

/** A running PostgreSQL server in a temp folder, on a free port of the loopback address. */
export interface EmbeddedPostgres {
  readonly host: string;
  readonly port: number;
  /** PEM file of the authority that signed the server's certificate. */
  readonly caFile: string;
  readonly ca: string;
  readonly masterUsername: string;
  /** A login as the bootstrap superuser, which RDS does not give out. For tests. */
  superuser(database?: string): pg.ClientConfig;
  /** The server's log so far. */
  log(): string;
  /** Kill the server like a crash, without shutdown and checkpoint. */
  crash(): Promise<void>;
  /** Stop the server and keep the data. */
  shutDown(): Promise<void>;
  /** Start again after `crash` or `shutDown`, on the same port and data. */
  restart(): Promise<void>;
  /** Stop the server and remove its folder. Safe to repeat. */
  stop(): Promise<void>;
}

/** Start PostgreSQL as RDS sets it up: TLS, SCRAM, a master user that is no superuser. */
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

/** The parts of a running server. */
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

/** The running server, for the rest of the runner and for tests. */
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

/** Create RDS's roles: `rds_superuser`, and the master user as its member. */
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
