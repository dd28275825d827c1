/**
 * SQLSTATEs, grouped by how Mayfly handles them (PostgreSQL appendix A), each once. The error's
 * text is never used, because it depends on `lc_messages`.
 */

/** The password is wrong, or the user does not exist. */
export const WRONG_PASSWORD = "28P01";
/** The server knows the user but refuses the login: NOLOGIN, or a line of pg_hba.conf. */
export const NOT_AUTHORIZED = "28000";
/** A parameter that cannot be reset. */
export const NOT_SUPPORTED = "0A000";
/** A privilege is missing. */
export const DENIED = "42501";
/** Writing on a server that has become a standby. */
export const READ_ONLY = "25006";
/** Objects, privileges or policies of a role still exist. */
export const DEPENDENTS = "2BP01";
/** A lock timeout, or a transaction of the role is not finished. */
export const LOCKED = "55P03";
/** The database that a login names was dropped. */
export const NO_DATABASE = "3D000";
/** The database allows no connections (`ALLOW_CONNECTIONS false`). */
export const CLOSED_DATABASE = "55000";
/** A function or its schema does not exist: the database has no verbs of this version. */
export const NO_VERBS: ReadonlySet<string> = new Set(["42883", "3F000"]);

/** The server has run out of a shared resource; the metric that counts it. */
export const EXHAUSTED = {
  /** Usually the shared lock table is full. */
  "53200": "ServerOutOfMemory",
  /** No connection slot is left, of the server or of the login. */
  "53300": "ServerOutOfConnections",
} as const;

/** The connection is lost or about to be lost: send the statement over a new one. */
export const CONNECTION_LOST = /^(08...|57P0[1-5]|25P0[34])$/;

/** A later attempt may succeed. */
export const TRANSIENT =
  /^(08...|57P0[1-5]|25P0[34]|57014|53[0-9A-Z]{3}|40001|40P01|55P03|25006|XX000)$/;

/**
 * SQLSTATEs with which concurrent role DDL fails although nothing is wrong (measured on 14 to 18):
 * tuple concurrently updated or deleted (XX000), deadlock, lock timeout, and names or rights that
 * appeared or disappeared meanwhile.
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

/** Warnings that a GRANT or REVOKE had no effect, which must be errors. */
export const POWERLESS: ReadonlySet<string> = new Set(["01006", "01007"]);

/**
 * A privilege is missing. From 16 on also XX000, for a privilege that only SET ROLE reaches ("no
 * possible grantors").
 */
export const REFUSED: ReadonlySet<string> = new Set([DENIED, "XX000"]);

/** Another stack on this cluster created the database at this moment. */
export const CREATED_MEANWHILE: ReadonlySet<string> = new Set(["42P04", "23505"]);

/** A lease joined its group while the group was dropped, or somebody is connected to a database. */
export const IN_USE = "55006";
