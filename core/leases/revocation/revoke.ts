import type { Actor } from "../../audit.ts";
import {
  CONVERGE,
  DatabaseUnavailableError,
  ForeignRoleError,
  InvalidRequestError,
  type MayflyError,
  StatementRejectedError,
  UnavailableError,
  withSubject,
} from "../../errors.ts";
import { auditedFacts, type ErrorFacts, factsOf } from "../../reason.ts";
import { between, type Instant, seconds } from "../../time.ts";
import type { LeaseRef } from "../lease.ts";
import { formatLeaseId, type LeaseId } from "../lease-id.ts";
import type { EngineFailure, LatchOutcome, LeaseDeps } from "../lease-ports.ts";
import { endEverywhere, unseenIn } from "../readers.ts";
import { type Receipt, receiptOf } from "../receipt.ts";
import { NO_ANSWER } from "./drop.ts";
import { type Ending, endAndDrop } from "./end-and-drop.ts";
import { rescheduleRevocation } from "./schedules.ts";

export interface RevokeOptions {
  /** Do not revoke a lease that has not expired by the database's clock. */
  readonly onlyIfDue: boolean;
  readonly actor: Actor;
}

/** The outcome of one lease among several: a failure does not affect the others. */
export type Revocation =
  | { readonly leaseId: string; readonly receipt: Receipt }
  | { readonly leaseId: string; readonly error: unknown };

/** A lease that could not be revoked, in answers. */
export interface FailedLease extends ErrorFacts {
  readonly leaseId: string;
}

/** The failures among several outcomes. */
export const failedIn = (revocations: readonly Revocation[]): readonly FailedLease[] =>
  revocations.flatMap((each) =>
    "error" in each ? [{ leaseId: each.leaseId, ...factsOf(each.error) }] : [],
  );

/** A lease that is latched, and whose role is kept, in answers. */
export interface KeptLease extends Pick<Receipt, "leaseId" | "blockers"> {
  readonly state: "quarantined" | "unverified";
}

/** The leases among several outcomes whose roles are kept, with what keeps them. */
export const keptIn = (revocations: readonly Revocation[]): readonly KeptLease[] =>
  revocations.flatMap((each) => {
    if (!("receipt" in each)) return [];
    const { leaseId, state, blockers } = each.receipt;
    return state === "quarantined" || state === "unverified" ? [{ leaseId, state, blockers }] : [];
  });

/**
 * If a schedule fires too early by no more than this, by the database's clock, the revoker waits.
 */
const PATIENCE = seconds(2);

/**
 * Revoke one lease by its id. Safe to repeat at any point.
 *
 * @throws ForeignRoleError if the role is not a lease; it is not touched.
 * @throws DatabaseUnavailableError if a server could not be reached; call again.
 */
export async function revokeLease(
  deps: LeaseDeps,
  id: LeaseId,
  options: RevokeOptions,
): Promise<Receipt> {
  const { role } = await deps.engine.look(id.username);
  if (role === undefined) {
    const leaseId = formatLeaseId(id.database, id.name.role, id.username);
    const receipt = receiptOf({ leaseId, state: "gone" });
    deps.telemetry.audit({ event: "lease.gone", leaseId, actor: options.actor, receipt });
    return receipt;
  }
  if (role.kind === "foreign") throw refuseForeign(deps, role.username, role.why);
  const [revocation] = await revokeMany(deps, [role.lease], options);
  if (revocation === undefined) throw new Error(`nothing was done with lease ${id.username}`);
  if ("error" in revocation) throw revocation.error;
  return revocation.receipt;
}

/**
 * Revoke leases together: latch them, end their sessions, drop them, end stragglers, each phase for
 * all of them at once. Safe to repeat at any point. Never rejects; each failure has an audit line.
 *
 * @returns a receipt or an error for each lease, in the same order.
 */
export async function revokeMany(
  deps: LeaseDeps,
  leases: readonly LeaseRef[],
  options: RevokeOptions,
): Promise<readonly Revocation[]> {
  const revocations = await revokeTogether(deps, leases, options).catch((error: unknown) =>
    leases.map((lease): Revocation => ({ leaseId: leaseIdOf(deps, lease), error })),
  );
  for (const [i, lease] of leases.entries()) {
    const each = revocations[i];
    if (each !== undefined && "error" in each)
      deps.telemetry.audit({
        event: "lease.failed",
        ...identity(deps, lease, options),
        ...auditedFacts(each.error),
      });
  }
  return revocations;
}

/** @throws DatabaseUnavailableError if the writer could not be reached: no lease was latched. */
async function revokeTogether(
  deps: LeaseDeps,
  leases: readonly LeaseRef[],
  options: RevokeOptions,
): Promise<readonly Revocation[]> {
  const asked = deps.time.now();
  const outcomes = await latch(deps, leases, options);
  const latched = leases.flatMap((lease, i) => {
    const outcome = outcomes[i];
    if (outcome?.kind !== "latched") return [];
    const announce = (): void =>
      deps.telemetry.audit({ event: "lease.revoking", ...identity(deps, lease, options) });
    return [{ lease, latch: outcome, announce }];
  });
  const gone = leases.filter((_, i) => outcomes[i]?.kind === "gone");
  const endings = await endAndDrop(deps, latched, asked);
  const stragglers = gone.length === 0 ? [] : await endEverywhere(deps, gone);
  const endingOf = new Map(latched.map(({ lease, latch }, i) => [lease, { latch, i }]));
  const goneAt = new Map(gone.map((lease, i) => [lease, i]));
  const results: Revocation[] = [];
  for (const [i, lease] of leases.entries()) {
    const leaseId = leaseIdOf(deps, lease);
    const outcome = outcomes[i];
    const ended = endingOf.get(lease);
    const ending = ended && endings[ended.i];
    try {
      if (outcome?.kind === "latched" && ending)
        results.push({ leaseId, receipt: finish(deps, lease, options, outcome, ending) });
      else if (outcome?.kind === "gone") {
        const seen = stragglers[goneAt.get(lease) ?? -1] ?? [];
        results.push({ leaseId, receipt: alreadyGone(deps, lease, options, seen) });
      } else results.push({ leaseId, receipt: await leaveAlone(deps, lease, outcome) });
    } catch (error) {
      results.push({ leaseId, error });
    }
  }
  return results;
}

/** Latch leases; wait for those that are due within moments. */
async function latch(
  deps: LeaseDeps,
  leases: readonly LeaseRef[],
  { onlyIfDue }: RevokeOptions,
): Promise<readonly LatchOutcome[]> {
  const outcomes = [...(await deps.engine.latch(leases, { onlyIfDue }))];
  const early = outcomes.flatMap((outcome, index) => {
    if (outcome.kind !== "not due" || outcome.expiresAt === undefined) return [];
    const left = between(outcome.at, outcome.expiresAt);
    return left <= PATIENCE ? [{ index, left }] : [];
  });
  const longest = early.toSorted((a, b) => b.left - a.left)[0]?.left;
  if (longest === undefined) return outcomes;
  await deps.time.wait(longest);
  const waited = early.flatMap(({ index }) => leases[index] ?? []);
  for (const [i, outcome] of (await deps.engine.latch(waited, { onlyIfDue })).entries()) {
    const index = early[i]?.index;
    if (index !== undefined) outcomes[index] = outcome;
  }
  return outcomes;
}

/** The role is gone, but a session may be left: a login may have been under way during the DROP. */
function alreadyGone(
  deps: LeaseDeps,
  lease: LeaseRef,
  { actor }: RevokeOptions,
  after: Awaited<ReturnType<typeof endEverywhere>>[number],
): Receipt {
  const leaseId = leaseIdOf(deps, lease);
  const { incarnation } = lease;
  const receipt = receiptOf({ leaseId, state: "gone", incarnation, after });
  measureStragglers(deps, receipt);
  deps.telemetry.audit({ event: "lease.gone", leaseId, actor, receipt });
  const unseen = unseenIn(after);
  if (unseen.length > 0)
    throw new DatabaseUnavailableError(
      `Mayfly could not look for sessions of lease ${leaseId} on ${unseen.join(", ")}; call again`,
    );
  return receipt;
}

/**
 * A lease that was not latched. If it is not due, it was renewed: the fired schedule was its only
 * one, so create the next.
 */
async function leaveAlone(
  deps: LeaseDeps,
  lease: LeaseRef,
  outcome: LatchOutcome | undefined,
): Promise<Receipt> {
  const leaseId = leaseIdOf(deps, lease);
  const { incarnation } = lease;
  if (outcome?.kind === "foreign") throw refuseForeign(deps, lease.username, outcome.why);
  if (outcome?.kind === "invalid") throw new InvalidRequestError(outcome.why);
  if (outcome?.kind === "other")
    throw new InvalidRequestError(
      `lease ${leaseId} exists, but its incarnation is not ${incarnation}; nothing was touched: send the incarnation in its schedule, or revoke it by its leaseId`,
    );
  if (outcome?.kind !== "not due")
    throw errorOf(
      outcome?.kind === "failed" ? outcome : NO_ANSWER,
      `lease ${leaseId} could not be latched`,
    );
  const { expiresAt, at } = outcome;
  if (expiresAt !== undefined && !(await rescheduleRevocation(deps, lease, expiresAt, at)))
    throw new UnavailableError(
      "Scheduler",
      `the next revocation of lease ${leaseId} could not be scheduled: every name for its schedule is taken; the sweep creates it`,
    );
  const receipt = receiptOf({
    leaseId,
    state: "not due",
    incarnation,
    ...(expiresAt !== undefined && { expiresAt }),
  });
  deps.telemetry.audit({ event: "lease.rescheduled", leaseId, expiresAt: receipt.expiresAt });
  return receipt;
}

function finish(
  deps: LeaseDeps,
  lease: LeaseRef,
  options: RevokeOptions,
  { wasOpen, expiresAt }: { readonly wasOpen: boolean; readonly expiresAt?: Instant },
  ending: Ending,
): Receipt {
  const { telemetry } = deps;
  if (ending.state === "failed")
    throw errorOf(
      ending.failure,
      `lease ${leaseIdOf(deps, lease)} is latched, and its role could not be dropped`,
    );
  const receipt = receiptOf({
    ...ending,
    leaseId: leaseIdOf(deps, lease),
    incarnation: lease.incarnation,
    ...(expiresAt !== undefined && { expiresAt }),
  });
  const event = `lease.${ending.state}` as const;
  telemetry.audit({ event, ...identity(deps, lease, options), receipt });
  measureStragglers(deps, receipt);
  if (receipt.state === "revoked") telemetry.measure("LeasesRevoked", 1);
  if (receipt.state === "quarantined" && wasOpen) telemetry.measure("LeasesQuarantined", 1);
  if (receipt.lagSeconds !== undefined)
    telemetry.measure("RevocationLagSeconds", receipt.lagSeconds);
  return receipt;
}

/** Convert an engine's failure to the error for the caller. */
const errorOf = ({ step, code, passes }: EngineFailure, what: string): MayflyError =>
  passes
    ? new DatabaseUnavailableError(`${what} (step "${step}", code ${code}); call again`)
    : withSubject(new StatementRejectedError(step, code, { remedy: CONVERGE }), what);

function refuseForeign(deps: LeaseDeps, username: string, why: string): ForeignRoleError {
  deps.telemetry.audit({ event: "role.foreign", username, why });
  return new ForeignRoleError(
    `role ${username} is named like a lease but is not a lease: ${why}; nothing was touched, a DBA must look at it`,
  );
}

function measureStragglers({ telemetry }: LeaseDeps, { servers }: Receipt): void {
  const stragglers = servers.reduce((sum, { stragglersEnded }) => sum + stragglersEnded, 0);
  if (stragglers > 0) telemetry.measure("StragglersEnded", stragglers);
}

const leaseIdOf = ({ database }: LeaseDeps, { name, username }: LeaseRef): string =>
  formatLeaseId(database, name.role, username);

const identity = (deps: LeaseDeps, lease: LeaseRef, { actor }: RevokeOptions) => ({
  leaseId: leaseIdOf(deps, lease),
  consumer: lease.name.consumer,
  role: lease.name.role,
  incarnation: lease.incarnation,
  actor,
});
