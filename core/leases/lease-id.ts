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
  const wrong = (why: string): InvalidRequestError =>
    new InvalidRequestError(
      `leaseId ${shown(value)} is not a lease id${why}; send the leaseId of an issued credential, <database>/<role>/<username>`,
    );
  if (value === "") throw wrong(": it is empty");
  if (typeof value !== "string" || value.length > MAX_LENGTH) throw wrong("");
  const [database, role, username, ...rest] = value.split("/");
  if (!database || !role || !username || rest.length > 0) throw wrong("");
  const name = parseLeaseName(username);
  if (name === undefined) throw wrong(": its username is not the name of a lease");
  if (name.role !== role) throw wrong(": its username is of another role");
  return { database, username, name };
}
