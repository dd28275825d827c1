/**
 * SQLSTATEs by what is done about them (PostgreSQL appendix A), each once. Nothing is ever decided by
 * an error's text, which follows `lc_messages`.
 */

/** The password is not the one that the server knows, or the user is none. */
export const WRONG_PASSWORD = "28P01";
/** The server knows the user, and does not let it in: NOLOGIN, or a line of pg_hba.conf. */
export const NOT_AUTHORIZED = "28000";
/** A parameter that cannot be reset. */
export const NOT_SUPPORTED = "0A000";
/** A privilege is missing. */
export const DENIED = "42501";
/** Writing on a server that has become a standby. */
export const READ_ONLY = "25006";
/** Objects, privileges or policies of a role still exist. */
export const DEPENDENTS = "2BP01";
/** A lock was not given in time, or something that a role did is not over. */
export const LOCKED = "55P03";
/** The database that a login names was dropped. */
export const NO_DATABASE = "3D000";
/** It lets nobody in (`ALLOW_CONNECTIONS false`). */
export const CLOSED_DATABASE = "55000";
/** A function or its schema does not exist: the database has no verbs of this version. */
export const NO_VERBS: ReadonlySet<string> = new Set(["42883", "3F000"]);

/** The server has run out of something that everybody shares; the metric that counts it. */
export const EXHAUSTED = {
  /** Most often no room for one more lock: its table is for all of them. */
  "53200": "ServerOutOfMemory",
  /** No connection is left, of the server or of that login. */
  "53300": "ServerOutOfConnections",
} as const;

/** The connection is lost or about to be: the same statement goes over another one. */
export const CONNECTION_LOST = /^(08...|57P0[1-5]|25P0[34])$/;

/** A later attempt may not meet it. */
export const TRANSIENT =
  /^(08...|57P0[1-5]|25P0[34]|57014|53[0-9A-Z]{3}|40001|40P01|55P03|25006|XX000)$/;

/**
 * What concurrent role DDL fails with although nothing is wrong (measured on 14 to 18): tuple
 * concurrently updated or deleted (XX000), deadlock, lock timeout, and names or rights that came or
 * went in between.
 */
export const CONTENDED: ReadonlySet<string> = new Set([
  "XX000",
  "40001",
  "40P01",
  LOCKED,
  "42704",
  "23505",
  "42710",
  DENIED,
]);

/** Another transaction touched the same catalog row; the same statements may pass next time. */
export const CONFLICT: ReadonlySet<string> = new Set(["XX000", "40P01", "40001", LOCKED, "23505"]);

/** Warnings that a GRANT or REVOKE did nothing, where an error was due. */
export const POWERLESS: ReadonlySet<string> = new Set(["01006", "01007"]);

/** A right is missing: from 16 on XX000 for one that only SET ROLE reaches ("no possible grantors"). */
export const REFUSED: ReadonlySet<string> = new Set([DENIED, "XX000"]);

/** Another stack on this cluster created the database at this moment. */
export const CREATED_MEANWHILE: ReadonlySet<string> = new Set(["42P04", "23505"]);

/** A lease came in while its group was about to be dropped, or somebody is connected to a database. */
export const IN_USE = "55006";
