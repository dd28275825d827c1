import type { Keeper } from "../../../client/keeper/keeper.ts";
import { keepLease } from "../../../client/keeper/lease-keeper.ts";
import { invokeBySdk } from "../../../client/keeper/sources/invoke.ts";
import { issuer, issuerBy } from "../../../client/keeper/sources/issuer.ts";
import type { LeaseEnds, LeaseSource } from "../../../client/keeper/sources/lease-source.ts";
import type { Instant } from "../../../core/time.ts";
import { assumeKeys, type RoleKeys } from "../../aws/assume.ts";
import { PATIENT } from "../../aws/clients.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import type { WantedLease } from "./which-lease.ts";

/** A keeper, and when its leases end. */
export interface KeptLease {
  readonly keeper: Keeper;
  /** When a lease ends unless it is renewed, by the database's clock. */
  readonly expiresAt: (id: string) => Instant | undefined;
}

/**
 * A keeper of the lease. Nothing is asked of the issuer yet.
 *
 * @param onlyWhileUsed a lease that nobody uses is not renewed.
 * @throws KeeperError if the ARN is not an alias's; Failure if the role may not be assumed.
 */
export async function keepWanted(wanted: WantedLease, onlyWhileUsed: boolean): Promise<KeptLease> {
  const ends = new Map<string, Instant>();
  const source = await sourceOf(wanted);
  const remember = <Ends extends LeaseEnds>(id: string, answer: Ends): Ends => {
    ends.set(id, answer.expiresAt);
    return answer;
  };
  const remembering: LeaseSource = {
    name: source.name,
    issue: async (request, signal) => {
      const lease = await source.issue(request, signal);
      return remember(lease.login.id, lease);
    },
    renew: async (id, ttlSeconds, signal) =>
      remember(id, await source.renew(id, ttlSeconds, signal)),
    revoke: (id, signal) => source.revoke(id, signal),
  };
  return {
    keeper: keepLease({ source: remembering, onlyWhileUsed }),
    expiresAt: (id) => ends.get(id),
  };
}

/**
 * Where a lease comes from.
 *
 * @throws KeeperError if the ARN is not an alias's; Failure if the role may not be assumed.
 */
export async function sourceOf({ arn, assume, consumer }: WantedLease): Promise<LeaseSource> {
  if (assume === undefined) return issuer(arn);
  let first: RoleKeys | undefined = await assumeRole(assume, consumer ?? assume);
  // its keys are good for an hour; the SDK asks for others then
  const credentials = async (): Promise<RoleKeys> => {
    const keys = first ?? (await assumeKeys(PATIENT, assume, "mayfly"));
    first = undefined;
    return keys;
  };
  return issuerBy(
    invokeBySdk(() => import("../../aws/lambda-sdk.ts"), credentials),
    arn,
  );
}

async function assumeRole(roleArn: string, consumer: string): Promise<RoleKeys> {
  try {
    return await assumeKeys(PATIENT, roleArn, "mayfly");
  } catch (error) {
    if (!(error instanceof Error) || !error.name.startsWith("AccessDenied")) throw error;
    throw new Failure(
      Exit.notAllowed,
      `the role of ${consumer} may not be assumed by this caller: its trust policy must name you (assumedBy), or use its own credentials`,
      { cause: error },
    );
  }
}
