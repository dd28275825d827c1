import { InvalidRequestError } from "../errors.ts";
import { type LeaseName, parseLeaseName } from "./lease-name.ts";

/** A parsed lease id: `<database>/<role>/<username>`. */
export interface LeaseId {
  readonly database: string;
  readonly username: string;
  readonly name: LeaseName;
}

export const formatLeaseId = (database: string, role: string, username: string): string =>
  `${database}/${role}/${username}`;

const MAX_LENGTH = 128;
const SHOWN = 80;

/**
 * Quote a value that a caller sent, for an error: shortened, with control characters escaped. The
 * content of objects and lists is not shown: a credential sent by mistake must not reach a log.
 */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return "(a list)";
  if (typeof value === "object" && value !== null) return "(an object)";
  if (typeof value !== "string" || value.length <= SHOWN)
    return JSON.stringify(value) ?? String(value);
  return `${JSON.stringify(value.slice(0, SHOWN))}… (${value.length} characters)`;
}

/**
 * Parse a lease id.
 *
 * @throws InvalidRequestError if the text is not a lease id, or its role is not the role in its
 *   username.
 */
export function parseLeaseId(value: unknown): LeaseId {
  if (typeof value === "string" && value.length <= MAX_LENGTH) {
    const [database, role, username, ...rest] = value.split("/");
    const name = username === undefined ? undefined : parseLeaseName(username);
    if (database && username && name && name.role === role && rest.length === 0)
      return { database, username, name };
  }
  throw new InvalidRequestError(
    `leaseId ${shown(value)} is not a lease id; send the leaseId of an issued credential, <database>/<role>/<username>`,
  );
}
