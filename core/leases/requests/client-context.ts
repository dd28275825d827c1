import { InvalidRequestError } from "../../errors.ts";
import { shown } from "../lease-id.ts";

/** Whoever writes one of these into a client context expects that it decides something. */
const CLAIMS = ["action", "alias", "consumer", "invokedFunctionArn", "leaseId", "role"];

const namesIn = (value: unknown): readonly string[] =>
  typeof value === "object" && value !== null ? Object.keys(value) : [];

/**
 * Refuse a client context that names a consumer, an alias, a role, an action or a lease. The caller
 * writes it, so nothing in it is ever used. Tracing libraries put other things into it.
 *
 * @param clientContext as Lambda's Node runtime passes it. Undefined if the caller sent none.
 * @throws InvalidRequestError with the names.
 */
export function refuseClaims(clientContext: unknown): void {
  const { custom, Custom } = (clientContext ?? {}) as { custom?: unknown; Custom?: unknown };
  const names = [clientContext, custom, Custom].flatMap(namesIn);
  const claims = CLAIMS.filter((each) => names.includes(each));
  if (claims.length === 0) return;
  throw new InvalidRequestError(
    `the client context names ${claims.map(shown).join(", ")}, and nothing in it is used; leave it out: the alias that is invoked says who asks, and the request says what for`,
  );
}
