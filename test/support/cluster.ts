import { randomBytes } from "node:crypto";
import { type EmbeddedPostgres, startPostgres } from "../../local/postgres/postgres.ts";
import { eventually } from "./eventually.ts";

/** A server that tests connect to. */
export interface TestCluster {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly masterUsername: string;
  readonly masterPassword: string;
  /** Of the bootstrap superuser. */
  readonly superuser: { readonly username: string; readonly password: string };
}

/** A server of its own, for tests that crash it, read its log, or need other settings. */
export interface OwnServer {
  readonly server: EmbeddedPostgres;
  readonly cluster: TestCluster;
}

/**
 * Start a server. `settings` are `name=value`. The caller stops it.
 *
 * @param binaries the `native` folder of a PostgreSQL. @default - what `MAYFLY_TEST_POSTGRES` names,
 *   or the installed one
 */
export async function startCluster(
  settings: readonly string[] = [],
  binaries = process.env.MAYFLY_TEST_POSTGRES,
): Promise<OwnServer> {
  const masterUsername = "mayfly_master";
  const masterPassword = randomBytes(16).toString("hex");
  const server = await startPostgres({
    masterUsername,
    masterPassword,
    database: "orders",
    forceTls: true,
    settings,
    ...(binaries && { binaries }),
  });
  const { user, password } = server.superuser();
  const { host, port, ca } = server;
  return {
    server,
    cluster: {
      host,
      port,
      ca,
      masterUsername,
      masterPassword,
      superuser: { username: String(user), password: String(password) },
    },
  };
}

/** End a server as a crash would, and start it again once its last backend has noticed. */
export async function crashAndRestart({ server }: OwnServer): Promise<void> {
  await server.crash();
  await eventually(() => server.restart().then(() => true), { every: 100 });
}
