import type { LeaseRecord, Recognition } from "../../../core/leases/lease.ts";
import { parseLeaseName } from "../../../core/leases/lease-name.ts";
import { groupRoleName, issuerRoleName } from "../../../core/names.ts";
import type { Instant } from "../../../core/time.ts";

/** A role that is named like a lease, as returned by the verbs `list` and `look`. */
export interface RoleRow {
  /** Its OID. */
  readonly incarnation: string;
  readonly username: string;
  readonly canLogin: boolean;
  /** `VALID UNTIL`. Undefined if there is none, or it is infinite. */
  readonly validUntil?: Instant;
  /** SUPERUSER, CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS. */
  readonly privileged: boolean;
  /** The roles it is a member of. */
  readonly memberOf: readonly string[];
  /** The roles that hold it with ADMIN OPTION. */
  readonly admins: readonly string[];
  /**
   * True before PostgreSQL 15: there a login can remove every member from its own role, even the
   * issuer role.
   */
  readonly administersItself?: boolean;
  /** The comment, at most {@link MAX_RECORD_LENGTH} characters. */
  readonly comment?: string;
}

export const MAX_RECORD_LENGTH = 1_000;

/**
 * Decide whether a role is one of Mayfly's leases. No other role may be changed or dropped. The
 * verb `latch` makes the same decision in SQL.
 *
 * The name alone proves nothing, and on PostgreSQL 15 and older other roles can write the comment.
 * Four facts must agree: the name, no privileged attribute, ADMIN OPTION for the issuer role in the
 * name, and membership in the group (which a latch removes, together with LOGIN). If a lease can
 * remove that ADMIN OPTION itself, a complete record, which it cannot write, replaces it: no lease
 * may make itself untouchable.
 */
export function recognise(row: RoleRow, tag: string): Recognition {
  const foreign = (why: string): Recognition => ({ kind: "foreign", username: row.username, why });
  const name = parseLeaseName(row.username);
  if (name === undefined || name.tag !== tag) return foreign("its name is not a lease's");
  if (row.privileged) return foreign("it has a privileged attribute");
  const record = parseRecord(row.comment);
  const mayHaveLeft = row.administersItself === true && record !== undefined;
  if (!row.admins.includes(issuerRoleName(tag, name.shard)) && !mayHaveLeft)
    return foreign("the issuer role in its name does not hold it with ADMIN OPTION");
  if (row.canLogin && !row.memberOf.includes(groupRoleName(tag, name.role)))
    return foreign("it can log in but is not in the group of its dynamic role");
  const expiresAt = row.canLogin ? row.validUntil : (record?.expiredAt ?? row.validUntil);
  return {
    kind: "lease",
    lease: {
      incarnation: row.incarnation,
      username: row.username,
      name,
      canLogin: row.canLogin,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(record && { record }),
    },
  };
}

const PEPPER_VERSION = /^[A-Za-z0-9-]{32,64}$/;

/**
 * Parse a comment that anyone may have written. Undefined if it is not a complete record of Mayfly.
 */
export function parseRecord(comment: string | undefined): LeaseRecord | undefined {
  if (comment === undefined || comment.length > MAX_RECORD_LENGTH) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(comment);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const { v, issued, max, pepper, latched, expired, unverified } = parsed as Record<
    string,
    unknown
  >;
  if (v !== 1 || !isInstant(issued) || !isInstant(max)) return undefined;
  return {
    issuedAt: issued,
    maxExpiresAt: max,
    ...(typeof pepper === "string" && PEPPER_VERSION.test(pepper) && { pepper }),
    ...(isInstant(latched) && { latchedAt: latched }),
    ...(isInstant(expired) && { expiredAt: expired }),
    ...(isInstant(unverified) && { unverifiedAt: unverified }),
  };
}

const FAR = 253_402_300_799_999; // the last millisecond of the year 9999

const isInstant = (value: unknown): value is Instant =>
  typeof value === "number" && Number.isInteger(value) && value > 0 && value <= FAR;
