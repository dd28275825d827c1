import type { ConnectionOptions } from "node:tls";
import pg from "pg";
import type { Secret } from "../../../core/secret.ts";
import type { Duration } from "../../../core/time.ts";
import { sql } from "./sql.ts";

/** Server, database, user and password of one connection. */
export interface Login {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly username: string;
  readonly password: Secret;
  readonly ssl: ConnectionOptions | false;
  /**
   * `none`: act as the user itself, whatever role the settings of the user or the database name.
   * @default - the role in the settings
   */
  readonly role?: "none";
  /**
   * Keep the settings of an application's login, to see what the application sees. Never for a
   * login with power.
   */
  readonly ownSearchPath?: boolean;
}

/** The time limits of a connection. */
export interface Limits {
  readonly connect: Duration;
  readonly statement: Duration;
  readonly lock: Duration;
}

/**
 * The session settings of every connection with power. They are sent in the startup message, so
 * they apply before the first statement and override the defaults of the server, the database and
 * the role. Otherwise Mayfly could run functions that a lease created in `public` (docs/adr/0004),
 * and a former holder of an issuer login's password could leave settings.
 */
const startupOptions = ({ role, ownSearchPath }: Login, { statement, lock }: Limits): string =>
  [
    ...(role === undefined ? [] : [`role=${role}`]),
    ...(ownSearchPath === true ? [] : ["search_path=pg_catalog,pg_temp"]),
    "client_min_messages=warning",
    "default_transaction_isolation=read\\ committed",
    "default_transaction_read_only=off",
    "default_transaction_deferrable=off",
    "default_tablespace=",
    "exit_on_error=off",
    "quote_all_identifiers=off",
    "row_security=on",
    "idle_session_timeout=0",
    "local_preload_libraries=",
    "tcp_user_timeout=0",
    "synchronous_commit=on",
    "debug_print_parse=off",
    "debug_print_rewritten=off",
    "debug_print_plan=off",
    "standard_conforming_strings=on",
    "extra_float_digits=1",
    "log_parameter_max_length_on_error=0",
    "TimeZone=UTC",
    "DateStyle=ISO",
    `statement_timeout=${statement}`,
    `lock_timeout=${lock}`,
    `idle_in_transaction_session_timeout=${statement}`,
  ]
    .map((setting) => `-c ${setting}`)
    .join(" ");

/** Settings of majors after 14. PostgreSQL 14 would refuse a connection that names them. */
const LATER_SETTINGS = sql`
select pg_catalog.set_config(name, value, false)
from (values ('createrole_self_grant', ''), ('transaction_timeout', '0')) as pinned (name, value)
where pg_catalog.current_setting(name, true) operator(pg_catalog.<>) value`;

/**
 * Open one connection. The caller ends it.
 *
 * @throws the driver's error, unchanged; callers name the step and convert it.
 */
export async function connect(login: Login, limits: Limits): Promise<pg.Client> {
  const client = new pg.Client({
    host: login.host,
    port: login.port,
    database: login.database,
    user: login.username,
    password: () => login.password.reveal(),
    ssl: login.ssl,
    application_name: "mayfly",
    options: startupOptions(login, limits),
    connectionTimeoutMillis: limits.connect,
    query_timeout: limits.statement + limits.connect,
    keepAlive: true,
  });
  client.on("error", () => {
    // The next query fails and reports the error. Without a listener, the event would end the
    // process.
  });
  await client.connect();
  try {
    await client.query(LATER_SETTINGS);
  } catch (error) {
    await client.end().catch(() => {});
    throw error;
  }
  return client;
}
