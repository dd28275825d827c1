import type { Secret } from "../secret.ts";
import { type Instant, iso } from "../time.ts";
import type { Grant } from "./grants.ts";
import { formatLeaseId } from "./lease-id.ts";

/** Where applications reach the database. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly tls: "verify-full" | "plaintext";
}

/**
 * The answer of `issue`: the keys of an AWS database secret, so that existing parsers work, and the
 * lease's times in ISO 8601, UTC, by the database's clock.
 */
export interface Credential {
  readonly leaseId: string;
  readonly engine: "postgres";
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly username: string;
  readonly password: string;
  readonly sslmode: "verify-full" | "disable";
  readonly issuedAt: string;
  /** When a client should renew or ask again: after two thirds of the time to `expiresAt`. */
  readonly refreshAfter: string;
  readonly expiresAt: string;
  readonly maxExpiresAt: string;
  /** False if the schedule could not be created; the sweep will create it. */
  readonly revocationScheduled: boolean;
  /** False if a limit of the role is 1: a second lease is not allowed beside this one. */
  readonly successor: boolean;
}

/** Two thirds of the way from `from` to `to`. */
export const refreshPoint = (from: Instant, to: Instant): Instant =>
  Math.floor(from + ((to - from) * 2) / 3) as Instant;

/** The four times of a credential. */
export interface LeaseTimes {
  readonly issuedAt: Instant;
  readonly expiresAt: Instant;
  readonly maxExpiresAt: Instant;
}

export function credential(
  database: string,
  { role }: Grant,
  login: {
    readonly username: string;
    readonly password: Secret;
    readonly dbname: string;
    readonly scheduled: boolean;
    readonly successor: boolean;
  },
  { issuedAt, expiresAt, maxExpiresAt }: LeaseTimes,
  { host, port, tls }: Endpoint,
): Credential {
  return {
    leaseId: formatLeaseId(database, role, login.username),
    engine: "postgres",
    host,
    port,
    dbname: login.dbname,
    username: login.username,
    password: login.password.reveal(),
    sslmode: tls === "plaintext" ? "disable" : "verify-full",
    issuedAt: iso(issuedAt),
    refreshAfter: iso(refreshPoint(issuedAt, expiresAt)),
    expiresAt: iso(expiresAt),
    maxExpiresAt: iso(maxExpiresAt),
    revocationScheduled: login.scheduled,
    successor: login.successor,
  };
}
