import { reasonOf } from "../../reason.ts";
import { type Instant, plus, seconds } from "../../time.ts";
import type { LeaseRef } from "../lease.ts";
import type {
  Blocker,
  Cleared,
  DropOutcome,
  EngineFailure,
  LeaseDeps,
  Littered,
} from "../lease-ports.ts";

/** The outcome of dropping a lease, and the objects that were cleared for it. */
export interface Dropped {
  readonly outcome: DropOutcome;
  readonly cleared: readonly Cleared[];
}

/** The error for an engine that answers for fewer leases than requested. */
export const NO_ANSWER: EngineFailure = {
  kind: "failed",
  step: "drop",
  code: "no answer",
  passes: true,
};

/** How often to look for litter: a second revocation may take a lease back in between. */
const ROUNDS = 3;
/** The time for clearing litter, for all leases together; the sweep does the rest. */
const PATIENCE = seconds(8);

/**
 * Drop latched leases that have no session. Leases that are blocked by litter are lent to the
 * janitor, which removes the litter; then they are dropped. Leases that stay are taken back.
 *
 * @returns the outcome for each lease, in the same order. A later error is part of the outcome, so
 *   that every dropped lease gets its receipt.
 */
export async function dropAll(
  deps: Pick<LeaseDeps, "engine" | "janitor" | "time">,
  leases: readonly LeaseRef[],
): Promise<readonly Dropped[]> {
  const outcomes = new Map<LeaseRef, DropOutcome>();
  const cleared = new Map<LeaseRef, readonly Cleared[]>();
  let littered = await drop(deps, leases, outcomes);
  const until = plus(deps.time.now(), PATIENCE);
  for (let round = 1; littered.length > 0 && round <= ROUNDS; round++)
    littered = await clear(deps, littered, { outcomes, cleared, until });
  return leases.map((lease) => ({
    outcome: outcomes.get(lease) ?? NO_ANSWER,
    cleared: cleared.get(lease) ?? [],
  }));
}

/** @returns the leases that are blocked by litter. */
async function drop(
  { engine }: Pick<LeaseDeps, "engine">,
  leases: readonly LeaseRef[],
  outcomes: Map<LeaseRef, DropOutcome>,
): Promise<readonly Littered[]> {
  const found = await engine.drop(leases);
  return leases.flatMap((lease, i) => {
    const outcome = found[i] ?? NO_ANSWER;
    outcomes.set(lease, outcome);
    if (outcome.kind !== "blocked" || outcome.litter.length === 0) return [];
    return [{ lease, databases: [...new Set(outcome.litter.map(({ database }) => database))] }];
  });
}

interface Known {
  readonly outcomes: Map<LeaseRef, DropOutcome>;
  readonly cleared: Map<LeaseRef, readonly Cleared[]>;
  readonly until: Instant;
}

/** @returns the leases that were taken back meanwhile and still have litter. */
async function clear(
  deps: Pick<LeaseDeps, "engine" | "janitor">,
  littered: readonly Littered[],
  { outcomes, cleared, until }: Known,
): Promise<readonly Littered[]> {
  try {
    const lent = await lend(deps, littered, outcomes);
    if (lent.length === 0) return [];
    const clearances = await deps.janitor.clear(lent, until);
    const taken = new Set<LeaseRef>();
    for (const [i, { lease }] of lent.entries()) {
      cleared.set(lease, joined(cleared.get(lease) ?? [], clearances[i]?.cleared ?? []));
      if (clearances[i]?.takenBack === true) taken.add(lease);
    }
    const left = await drop(
      deps,
      lent.map(({ lease }) => lease),
      outcomes,
    );
    for (const [i, { lease }] of lent.entries())
      for (const { database, why } of clearances[i]?.failures ?? [])
        explain(outcomes, lease, why, database);
    await takeBack(deps, lent, outcomes);
    return left.filter(({ lease }) => taken.has(lease));
  } catch (error) {
    // the next revocation begins with a latch, which takes lent leases back
    for (const { lease } of littered) explain(outcomes, lease, reasonOf(error));
    return [];
  }
}

async function lend(
  { engine }: Pick<LeaseDeps, "engine">,
  littered: readonly Littered[],
  outcomes: Map<LeaseRef, DropOutcome>,
): Promise<readonly Littered[]> {
  const answers = await engine.lend(
    littered.map(({ lease }) => lease),
    "lend",
  );
  return littered.filter(({ lease }, i) => {
    const answer = answers[i] ?? NO_ANSWER;
    if (answer.kind === "lent") return true;
    const code = answer.kind === "failed" ? ` (${answer.code})` : "";
    explain(outcomes, lease, `the lease could not be lent to the janitor: ${answer.kind}${code}`);
    return false;
  });
}

/** Take back the leases that were not dropped. */
async function takeBack(
  { engine }: Pick<LeaseDeps, "engine">,
  lent: readonly Littered[],
  outcomes: ReadonlyMap<LeaseRef, DropOutcome>,
): Promise<void> {
  const kept = lent.flatMap(({ lease }) =>
    ["dropped", "gone"].includes(outcomes.get(lease)?.kind ?? "") ? [] : [lease],
  );
  if (kept.length > 0) await engine.lend(kept, "take back");
}

/** Add the reason to litter that stays, optionally only to litter in one database. */
function explain(
  outcomes: Map<LeaseRef, DropOutcome>,
  lease: LeaseRef,
  why: string,
  database?: string,
): void {
  const outcome = outcomes.get(lease);
  if (outcome?.kind !== "blocked") return;
  const withReason = (each: Blocker): Blocker =>
    each.why === undefined && (database === undefined || each.database === database)
      ? { ...each, why }
      : each;
  const litter = outcome.litter.map(withReason);
  const blockers = outcome.blockers.map((each) => litter[outcome.litter.indexOf(each)] ?? each);
  outcomes.set(lease, { ...outcome, blockers, litter });
}

const keyOf = ({ database, catalog }: Cleared): string => `${database} ${catalog}`;

/** Add up what was cleared in several attempts, in a stable order. */
function joined(before: readonly Cleared[], now: readonly Cleared[]): readonly Cleared[] {
  const sorted = [...before, ...now].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  return [...Map.groupBy(sorted, keyOf).values()].flatMap((same) => {
    const [first] = same;
    const count = same.reduce((sum, each) => sum + each.count, 0);
    return first === undefined ? [] : [{ ...first, count }];
  });
}
