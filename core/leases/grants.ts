import { InvalidRequestError, NotAllowedError } from "../errors.ts";
import type { Deployment, Grant } from "./deployment.ts";
import { type LeaseId, parseLeaseId, shown } from "./lease-id.ts";

export type { Grant };

/**
 * The grant of an invocation: the alias in `context.invokedFunctionArn`, looked up in the deployed
 * grants. A direct Invoke has no other trustworthy information about its caller.
 *
 * @throws NotAllowedError for the function itself, `$LATEST`, a version, or an unknown alias.
 */
export function grantOf(deployment: Deployment, invokedFunctionArn: string): Grant {
  const [, , , , , , functionName = "", alias = "", ...rest] = invokedFunctionArn.split(":");
  const grant = Object.hasOwn(deployment.grants, alias) ? deployment.grants[alias] : undefined;
  if (grant === undefined || rest.length > 0) {
    throw new NotAllowedError(
      `${shown(alias === "" ? "no alias" : alias)} of function ${functionName} is not a grant; invoke ${functionName}:<consumer>--<role>, an alias that the stack made`,
    );
  }
  return grant;
}

/** The error for a grant that the database does not have, or no longer has. */
export const refuseUndeclared = ({ consumer, role }: Grant): NotAllowedError =>
  new NotAllowedError(
    `${consumer} may not be issued ${role}: the database has no such grant: it was withdrawn, or the last deployment did not finish; add it to the configuration and deploy`,
  );

/**
 * Parse a lease id that a consumer sent, and check it against the consumer's grant.
 *
 * @throws InvalidRequestError if the text is not a lease id; NotAllowedError if the lease belongs
 *   to another grant.
 */
export function ownLease(deployment: Deployment, grant: Grant, value: unknown): LeaseId {
  const id = parseLeaseId(value);
  const own =
    id.database === deployment.database &&
    id.name.tag === deployment.tag &&
    id.name.consumer === grant.consumer &&
    id.name.role === grant.role;
  if (own) return id;
  throw new NotAllowedError(
    `lease ${shown(value)} was not issued to ${grant.consumer} for ${deployment.database}/${grant.role}; use the alias it was issued through`,
  );
}

/** The error for a ttl that is longer than the declared maximum. */
export const refuseTtl = (
  { role }: Grant,
  ttlSeconds: number | undefined,
  maxTtlSeconds: number,
): InvalidRequestError =>
  new InvalidRequestError(
    `ttlSeconds ${ttlSeconds} is more than ${maxTtlSeconds}, the maximum of role ${role}; ask for at most that, or leave it out`,
  );
