import {
  ConfigError,
  DatabaseUnavailableError,
  MayflyError,
  StatementRejectedError,
} from "../../../core/errors.ts";
import { noteExhaustion } from "./exhaustion.ts";
import { TRANSIENT } from "./sqlstates.ts";

/** A driver or socket code that is no SQLSTATE: the connection failed or was never made. */
const SOCKET = /^(E[A-Z]+|ERR_[A-Z_]+|[A-Z]+_[A-Z_]+)$/;

/** What Node calls a certificate that it does not trust, or that is another host's (`tls`, OpenSSL). */
const UNTRUSTED =
  /^(ERR_TLS_CERT_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)|HOSTNAME_)/;

/** Every SQLSTATE has a digit, which sets it apart from errnos of five letters: `EPIPE`. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

export const isSqlState = (code: string): boolean => SQLSTATE.test(code);

/** The SQLSTATE of a server error, or `undefined` for everything else. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && isSqlState(code) ? code : undefined;
}

/** What the driver itself says, in words that follow no server's language. */
const UNANSWERED = "Query read timeout";

/** Whether a statement was given up because no answer came in time. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && error.message === UNANSWERED;

/**
 * Turn a driver error into ours: by SQLSTATE, never by a server's message, since those follow
 * `lc_messages` and may quote the statement. No text of the server's is carried over. Every driver error
 * comes by here once, so this is where exhaustion is noticed.
 */
export function fromPgError(step: string, error: unknown): MayflyError {
  if (error instanceof MayflyError) return error;
  const sqlState = sqlStateOf(error);
  noteExhaustion(sqlState);
  if (sqlState !== undefined && !TRANSIENT.test(sqlState))
    return new StatementRejectedError(step, sqlState);
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === "string" && UNTRUSTED.test(code))
    return new ConfigError(
      `the database's certificate was not trusted in step "${step}" (${code}); set the database's "ca" to the PEM of the authority that signed it, and "host" to a name that it holds`,
    );
  const what =
    sqlState ??
    (typeof code === "string" && SOCKET.test(code)
      ? code
      : isUnanswered(error)
        ? "no answer in time"
        : "connection lost");
  return new DatabaseUnavailableError(
    `the database was not available in step "${step}" (${what}); wait and retry`,
  );
}
