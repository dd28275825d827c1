import type { Credential } from "./credential.ts";
import { type Grant, ownLease } from "./grants.ts";
import type { Receipt } from "./receipt.ts";
import { type IssueDeps, issueLease } from "./requests/issue.ts";
import type { ConsumerRequest } from "./requests/lease-request.ts";
import { type LeaseLookup, lookUpLease } from "./requests/lookup.ts";
import { type Renewal, renewLease } from "./requests/renew.ts";
import { revokeLease } from "./revocation/revoke.ts";

/** The answer of an alias. */
export type ConsumerAnswer = Credential | Renewal | Receipt | LeaseLookup;

/** Handle a consumer's request to its alias. */
export async function serveConsumer(
  deps: IssueDeps,
  grant: Grant,
  request: ConsumerRequest,
): Promise<ConsumerAnswer> {
  if (request.action === "issue") return issueLease(deps, grant, request);
  const id = ownLease(deps.deployment, grant, request.leaseId);
  switch (request.action) {
    case "renew":
      return renewLease(deps, grant, id, request.ttlSeconds);
    case "revoke":
      return revokeLease(deps, id, { onlyIfDue: false, actor: grant.consumer });
    case "lookup":
      return lookUpLease(deps, id);
  }
}
