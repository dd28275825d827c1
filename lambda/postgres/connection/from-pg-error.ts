import {
  ConfigError,
  DatabaseUnavailableError,
  MayflyError,
  StatementRejectedError,
} from "../../../core/errors.ts";
import { noteExhaustion } from "./exhaustion.ts";
import { TRANSIENT } from "./sqlstates.ts";

/**
 * A driver or socket code that is not a SQLSTATE: the connection failed or was never established.
 */
const SOCKET = /^(E[A-Z]+|ERR_[A-Z_]+|[A-Z]+_[A-Z_]+)$/;

/** Node's error codes for an untrusted certificate, or one of another host (`tls`, OpenSSL). */
const UNTRUSTED =
  /^(ERR_TLS_CERT_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_(CA|PURPOSE)|HOSTNAME_)/;

/** A SQLSTATE has five characters and a digit, unlike errnos of five letters such as `EPIPE`. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

export const isSqlState = (code: string): boolean => SQLSTATE.test(code);

/** The SQLSTATE of a server error. Undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && isSqlState(code) ? code : undefined;
}

/** The driver's own message, which does not depend on the server's language. */
const UNANSWERED = "Query read timeout";

/** Whether a statement was abandoned because no answer came in time. */
export const isUnanswered = (error: unknown): boolean =>
  error instanceof Error && error.message === UNANSWERED;

/**
 * Convert a driver error by its SQLSTATE, never by the server's message, which depends on
 * `lc_messages` and may quote the statement. No text of the server is copied. Every driver error
 * passes here once, so exhaustion is detected here.
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
      `the database's certificate is not trusted in step "${step}" (${code}); set the database's "ca" to the PEM of the authority that signed it, and "host" to a name in the certificate`,
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
