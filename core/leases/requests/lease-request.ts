import { InvalidRequestError } from "../../errors.ts";
import { shown } from "../lease-id.ts";

/** The shortest ttl of a request. Unit: seconds. */
export const MIN_TTL_SECONDS = 10;

const KEY = /^[\x20-\x7e]{1,128}$/;

/** A consumer's request to an alias. Every field is checked, except whose lease it is. */
export type ConsumerRequest =
  | {
      readonly action: "issue";
      readonly ttlSeconds?: number;
      readonly idempotencyKey?: string;
      readonly minRemainingSeconds?: number;
    }
  | { readonly action: "renew"; readonly leaseId: unknown; readonly ttlSeconds?: number }
  | { readonly action: "revoke" | "lookup"; readonly leaseId: unknown };

const FIELDS: Readonly<Record<ConsumerRequest["action"], readonly string[]>> = {
  issue: ["ttlSeconds", "idempotencyKey", "minRemainingSeconds"],
  renew: ["leaseId", "ttlSeconds"],
  revoke: ["leaseId"],
  lookup: ["leaseId"],
};

/** The plain object behind an event. @throws InvalidRequestError for anything else. */
export function fieldsOf(event: unknown): Readonly<Record<string, unknown>> {
  if (typeof event !== "object" || event === null || Array.isArray(event))
    throw new InvalidRequestError(
      `the request ${shown(event)} is not a JSON object; send {"action":"issue"}, for example`,
    );
  return event as Record<string, unknown>;
}

/**
 * The action that a request names, one of the keys of `known`.
 *
 * @throws InvalidRequestError that lists them.
 */
export function actionIn<Action extends string>(
  { action }: Readonly<Record<string, unknown>>,
  known: Readonly<Record<Action, unknown>>,
): Action {
  const isKnown = (name: string): name is Action => Object.hasOwn(known, name);
  if (typeof action === "string" && isKnown(action)) return action;
  const actions = Object.keys(known).join(", ");
  throw new InvalidRequestError(
    action === undefined
      ? `the request has no action; send {"action": …} with one of ${actions}`
      : `action ${shown(action)} is not one of ${actions}`,
  );
}

/** Refuse fields that `action` does not have, so that a misspelling is not silently ignored. */
export function refuseUnknown(
  fields: Readonly<Record<string, unknown>>,
  action: string,
  known: readonly string[],
): void {
  const unknown = Object.keys(fields).filter((name) => name !== "action" && !known.includes(name));
  if (unknown.length === 0) return;
  throw new InvalidRequestError(
    `${action} does not know ${unknown.map(shown).slice(0, 5).join(", ")}; ${known.length > 0 ? `its fields are ${known.join(", ")}` : "it has no fields"}`,
  );
}

/**
 * Check a request as far as possible without the database, which knows the role's limits.
 *
 * @throws InvalidRequestError with the field, its value and the allowed values.
 */
export function parseRequest(event: unknown): ConsumerRequest {
  const fields = fieldsOf(event);
  const action = actionIn(fields, FIELDS);
  refuseUnknown(fields, action, FIELDS[action]);
  const ttlSeconds = parseTtl(fields.ttlSeconds);
  if (action === "issue") {
    const idempotencyKey = parseKey(fields.idempotencyKey);
    const minRemainingSeconds = parseMinRemaining(fields.minRemainingSeconds, idempotencyKey);
    return {
      action,
      ...(ttlSeconds !== undefined && { ttlSeconds }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      ...(minRemainingSeconds !== undefined && { minRemainingSeconds }),
    };
  }
  const { leaseId } = fields;
  if (leaseId === undefined)
    throw new InvalidRequestError(`${action} needs leaseId, the leaseId of an issued credential`);
  if (action !== "renew") return { action, leaseId };
  return { action, leaseId, ...(ttlSeconds !== undefined && { ttlSeconds }) };
}

const isWholeNumber = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value <= MAX_SECONDS;

/** The largest integer of the database. */
const MAX_SECONDS = 2 ** 31 - 1;

function parseTtl(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (isWholeNumber(value) && value >= MIN_TTL_SECONDS) return value;
  throw new InvalidRequestError(
    `ttlSeconds ${shown(value)} is not a whole number of seconds from ${MIN_TTL_SECONDS} to the role's maximum; leave it out for the role's default`,
  );
}

function parseMinRemaining(value: unknown, key: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (key === undefined)
    throw new InvalidRequestError(
      "minRemainingSeconds needs an idempotencyKey: it says how long an earlier lease of that key must still live; send both, or neither",
    );
  if (isWholeNumber(value) && value >= 0) return value;
  throw new InvalidRequestError(
    `minRemainingSeconds ${shown(value)} is not a whole number of seconds from 0 to half of the role's maximum; leave it out for 10`,
  );
}

function parseKey(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && KEY.test(value)) return value;
  throw new InvalidRequestError(
    `idempotencyKey ${shown(value)} is not 1 to 128 printable ASCII characters; use a name that is the same for every attempt, such as the pod's`,
  );
}
