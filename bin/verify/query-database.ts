import type { Credential } from "../../core/leases/credential.ts";
import { NotMade } from "./outcome.ts";

/** Unit: milliseconds. */
const CONNECT_WITHIN = 5_000;

/** Error codes of Node and the driver if the server cannot be reached. */
const OUT_OF_REACH = /^(?:ECONN|ENOTFOUND|EAI_|EHOST|ENET|ETIMEDOUT)/;
/** OpenSSL's codes if the server's roots are not trusted here. */
const UNTRUSTED = /^(?:UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_)/;

/**
 * Log in with a lease's credential and run one query. Roots are Node's and those of
 * `NODE_EXTRA_CA_CERTS`.
 *
 * @throws NotMade if the server cannot be reached from here, or its roots are not trusted here.
 */
export async function queryDatabase(
  { host, port, dbname, username, password, sslmode }: Credential,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({
    host,
    port,
    database: dbname,
    user: username,
    password,
    ssl: sslmode === "disable" ? false : { rejectUnauthorized: true },
    connectionTimeoutMillis: CONNECT_WITHIN,
  });
  client.on("error", () => {}); // if an idle session ends, the next query fails
  try {
    await client.connect();
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message: string };
    await client.end().catch(() => undefined);
    if (OUT_OF_REACH.test(String(code)) || /timeout/i.test(message))
      throw new NotMade(
        "the database does not answer from here; run this where it does, docs/deploying.md#into-the-sandbox says how",
      );
    if (UNTRUSTED.test(String(code)))
      throw new NotMade(
        "the certificate of the database's server is not trusted here; let NODE_EXTRA_CA_CERTS name RDS's roots",
      );
    throw error;
  }
  try {
    return (await client.query(sql)).rows as Readonly<Record<string, unknown>>[];
  } finally {
    await client.end();
  }
}
