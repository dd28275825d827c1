import { NotAllowedError } from "../errors.ts";
import type { DeployedRole, Deployment } from "./deployment.ts";
import { type LeaseId, parseLeaseId, shown } from "./lease-id.ts";

/** What an alias entitles its caller to. */
export interface GrantedRole {
  readonly consumer: string;
  readonly role: string;
  readonly settings: DeployedRole;
}

/**
 * The grant an invocation came through: the alias in `context.invokedFunctionArn`, looked up in
 * the deployed grants. A direct Invoke carries no other trustworthy word about its caller.
 *
 * @throws NotAllowedError for the function itself, `$LATEST`, a version, or an unknown alias.
 */
export function grantOf(deployment: Deployment, invokedFunctionArn: string): GrantedRole {
  const [, , , , , , functionName = "", alias = "", ...rest] = invokedFunctionArn.split(":");
  const grant = Object.hasOwn(deployment.grants, alias) ? deployment.grants[alias] : undefined;
  const settings =
    grant && Object.hasOwn(deployment.roles, grant.role) ? deployment.roles[grant.role] : undefined;
  if (grant === undefined || settings === undefined || rest.length > 0) {
    throw new NotAllowedError(
      `${shown(alias === "" ? "no alias" : alias)} of function ${functionName} is not a grant; invoke ${functionName}:<consumer>--<role>, an alias that the stack made`,
    );
  }
  return { consumer: grant.consumer, role: grant.role, settings };
}

/**
 * Take apart a lease id that a consumer sent, and hold it against the consumer's grant.
 *
 * @throws InvalidRequestError when it is no lease id; NotAllowedError when the lease is another's.
 */
export function ownLease(deployment: Deployment, grant: GrantedRole, value: unknown): LeaseId {
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
