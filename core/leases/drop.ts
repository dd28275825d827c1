import type { LeaseRef } from "./lease.ts";
import type { Blocker, Clearance, Cleared, DropOutcome, LeaseDeps, Littered } from "./ports.ts";

/** What became of a lease that was to be dropped, and what was cleared for that. */
export interface Dropped {
  readonly outcome: DropOutcome;
  readonly cleared: readonly Cleared[];
}

/** How often litter is looked for: a second revocation may take a lease back in the middle. */
const ROUNDS = 3;

/**
 * Drop latched leases that have no session. Those that litter keeps are lent to the janitor, who removes
 * it, and are dropped then; whatever stays is taken back.
 *
 * @returns for each lease, in the same order, what became of it.
 */
export async function dropAll(
  deps: Pick<LeaseDeps, "engine" | "janitor">,
  leases: readonly LeaseRef[],
): Promise<readonly Dropped[]> {
  const outcomes = new Map<LeaseRef, DropOutcome>();
  const cleared = new Map<LeaseRef, readonly Cleared[]>();
  const drop = async (some: readonly LeaseRef[]): Promise<readonly Littered[]> => {
    const found = await deps.engine.drop(some);
    return some.flatMap((lease, i) => {
      const outcome = found[i] ?? { kind: "failed", code: "no answer" };
      outcomes.set(lease, outcome);
      const databases = outcome.kind === "blocked" ? outcome.litter : [];
      return databases.length === 0 ? [] : [{ lease, databases }];
    });
  };
  let littered = await drop(leases);
  for (let round = 1; littered.length > 0 && round <= ROUNDS; round++) {
    const lent = await lend(deps, littered);
    if (lent.length === 0) break;
    const clearances = await deps.janitor.clear(lent);
    for (const [i, { lease }] of lent.entries())
      cleared.set(lease, joined(cleared.get(lease) ?? [], clearances[i]?.cleared ?? []));
    const left = await drop(lent.map(({ lease }) => lease));
    await takeBack(deps, lent, outcomes);
    for (const [i, { lease }] of lent.entries()) explain(outcomes, lease, clearances[i]);
    const again = new Set(lent.filter((_, i) => clearances[i]?.state === "taken back"));
    littered = left.filter(({ lease }) => [...again].some((each) => each.lease === lease));
  }
  return leases.map((lease) => ({
    outcome: outcomes.get(lease) ?? { kind: "failed", code: "no answer" },
    cleared: cleared.get(lease) ?? [],
  }));
}

async function lend(
  { engine }: Pick<LeaseDeps, "engine">,
  littered: readonly Littered[],
): Promise<readonly Littered[]> {
  const answers = await engine.lend(
    littered.map(({ lease }) => lease),
    "lend",
  );
  return littered.filter((_, i) => answers[i]?.kind === "lent");
}

/** A lease that is dropped is lent to nobody. */
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

/** Say of what could not be cleared why. */
function explain(
  outcomes: Map<LeaseRef, DropOutcome>,
  lease: LeaseRef,
  clearance: Clearance | undefined,
): void {
  const outcome = outcomes.get(lease);
  const why = clearance?.why;
  if (outcome?.kind !== "blocked" || why === undefined) return;
  const blockers = outcome.blockers.map(
    (each): Blocker => (outcome.litter.includes(each.database) ? { ...each, why } : each),
  );
  outcomes.set(lease, { ...outcome, blockers });
}

/** What was cleared in several goes, counted together. */
function joined(before: readonly Cleared[], now: readonly Cleared[]): readonly Cleared[] {
  const all = Map.groupBy([...before, ...now], ({ database, catalog }) => `${database} ${catalog}`);
  return [...all.values()].flatMap((same) => {
    const [first] = same;
    const count = same.reduce((sum, each) => sum + each.count, 0);
    return first === undefined ? [] : [{ ...first, count }];
  });
}
