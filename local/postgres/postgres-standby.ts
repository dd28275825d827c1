import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  mkdirSync,
  readdirSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import pg from "pg";
import { tempFolder } from "../temp-folder.ts";
import { type EmbeddedPostgres, embeddedServer } from "./postgres.ts";
import {
  installedBinaries,
  runnableBinaries,
  type ServerUser,
  serverUser,
} from "./postgres-binaries.ts";
import { freePort, Server } from "./postgres-server.ts";

/** What creating a standby needs. */
export interface StandbyOptions {
  /** The writer's `native` folder. @default - the installed PostgreSQL 18 */
  readonly binaries?: string;
  /** Called when the server ends unexpectedly. */
  readonly onDeath?: (line: string) => void;
}

/**
 * Start a streaming standby of a running server, like an RDS read replica: it has its own folder
 * and port, and the writer's roles, passwords and certificate. Stop it before its writer.
 */
export async function startStandby(
  writer: EmbeddedPostgres,
  { binaries, onDeath }: StandbyOptions = {},
): Promise<EmbeddedPostgres> {
  const user = serverUser();
  const { path: folder, remove } = tempFolder("standby");
  const { masterUsername, ca } = writer;
  const { password } = writer.superuser();
  try {
    chmodSync(folder, 0o755);
    const native = runnableBinaries(binaries ?? installedBinaries(), user, folder);
    await copyWhileItRuns(writer, folder);
    follow(writer, join(folder, "data"));
    own(folder, user);
    const port = await freePort();
    const server = new Server({ native, folder, port, user, settings: [], onDeath });
    await server.start();
    const caFile = join(folder, "server.crt");
    const running = { server, port, masterUsername, ca, caFile, remove };
    return embeddedServer({ ...running, password: String(password) });
  } catch (error) {
    remove();
    throw error;
  }
}

/** A base backup through SQL (PostgreSQL 26.3.3): the installed binaries lack pg_basebackup. */
async function copyWhileItRuns(writer: EmbeddedPostgres, folder: string): Promise<void> {
  const client = new pg.Client(writer.superuser());
  await client.connect();
  try {
    const { rows } = await client.query(
      "select current_setting('data_directory') as data, current_setting('server_version_num')::int as version",
    );
    const { data, version } = rows[0] as { data: string; version: number };
    const since15 = version >= 150_000;
    await client.query(
      since15 ? "select pg_backup_start('m', true)" : "select pg_start_backup('m', true, false)",
    );
    copyFolder(data, join(folder, "data"));
    const { rows: ended } = await client.query(
      since15
        ? "select labelfile from pg_backup_stop()"
        : "select labelfile from pg_stop_backup(false)",
    );
    writeFileSync(join(folder, "data", "backup_label"), String(ended[0]?.labelfile));
    for (const name of ["pg_hba.conf", "server.crt", "server.key"])
      cpSync(join(dirname(data), name), join(folder, name));
  } finally {
    await client.end();
  }
}

/** Folders whose content a backup leaves out. The folders themselves must exist. */
const LEFT_OUT = ["pg_wal", "pg_replslot", "pg_stat_tmp", "pg_dynshmem", "pg_notify"];

function copyFolder(from: string, to: string): void {
  cpSync(from, to, {
    recursive: true,
    filter: (path) =>
      !basename(path).startsWith("postmaster.") && !LEFT_OUT.includes(basename(dirname(path))),
  });
  mkdirSync(join(to, "pg_wal", "archive_status"), { recursive: true });
}

/** Configure the copy to replay what the writer commits. */
function follow(writer: EmbeddedPostgres, data: string): void {
  const { user, password } = writer.superuser();
  const conninfo = `host=${writer.host} port=${writer.port} user=${user} password=${String(password)} sslmode=require`;
  writeFileSync(join(data, "standby.signal"), "");
  appendFileSync(join(data, "postgresql.auto.conf"), `primary_conninfo = '${conninfo}'\n`);
}

function own(folder: string, { uid, gid }: ServerUser): void {
  if (uid === undefined || gid === undefined) return;
  chownSync(folder, uid, gid);
  for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" }))
    chownSync(join(folder, entry), uid, gid);
}
