import { InvalidRequestError } from "../errors.ts";
import type { DeployedRole } from "./deployment.ts";
import { shown } from "./lease-id.ts";

/** The shortest life a lease may be asked for. Unit: seconds. */
export const MIN_TTL_SECONDS = 10;

const KEY = /^[\x20-\x7e]{1,128}$/;

/** What a consumer may ask of an alias, with every field checked but the lease's ownership. */
export type ConsumerRequest =
  | { readonly action: "issue"; readonly ttlSeconds: number; readonly idempotencyKey?: string }
  | { readonly action: "renew"; readonly leaseId: unknown; readonly ttlSeconds: number }
  | { readonly action: "revoke" | "lookup"; readonly leaseId: unknown };

const FIELDS: Readonly<Record<ConsumerRequest["action"], readonly string[]>> = {
  issue: ["ttlSeconds", "idempotencyKey"],
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

/** Refuse fields that `action` does not know, so that no misspelling is silently ignored. */
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
 * Check a request against the dynamic role it is for.
 *
 * @throws InvalidRequestError that names the field, its value and what it may be.
 */
export function parseRequest(event: unknown, role: DeployedRole): ConsumerRequest {
  const fields = fieldsOf(event);
  const action = actionIn(fields, FIELDS);
  refuseUnknown(fields, action, FIELDS[action]);
  if (action === "issue") {
    const idempotencyKey = parseKey(fields.idempotencyKey);
    const ttlSeconds = parseTtl(fields.ttlSeconds, role);
    return { action, ttlSeconds, ...(idempotencyKey !== undefined && { idempotencyKey }) };
  }
  const { leaseId } = fields;
  if (leaseId === undefined)
    throw new InvalidRequestError(`${action} needs leaseId, the leaseId of an issued credential`);
  if (action !== "renew") return { action, leaseId };
  return { action, leaseId, ttlSeconds: parseTtl(fields.ttlSeconds, role) };
}

function parseTtl(value: unknown, { ttlSeconds, maxTtlSeconds }: DeployedRole): number {
  if (value === undefined) return ttlSeconds;
  if (
    typeof value === "number" &&
    Number.isInteger(value) &&
    value >= MIN_TTL_SECONDS &&
    value <= maxTtlSeconds
  )
    return value;
  throw new InvalidRequestError(
    `ttlSeconds ${shown(value)} is not a whole number of seconds from ${MIN_TTL_SECONDS} to ${maxTtlSeconds}, this role's maximum; leave it out for ${ttlSeconds}`,
  );
}

function parseKey(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" && KEY.test(value)) return value;
  throw new InvalidRequestError(
    `idempotencyKey ${shown(value)} is not 1 to 128 printable ASCII characters; use a name that is the same for every attempt, such as the pod's`,
  );
}
