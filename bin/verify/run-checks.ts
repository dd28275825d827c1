import type { Check, World } from "./checks/check.ts";
import { LeaseNotMade } from "./evidence.ts";
import type { Mask } from "./mask.ts";
import { NotMade, type Outcome, skipped } from "./outcome.ts";

/** A check and its result. */
export interface Result extends Outcome {
  readonly check: Check;
}

/**
 * AWS's errors for a call that these keys may not make, or that a substitute for AWS does not have.
 */
const NOT_POSSIBLE = /^(?:AccessDenied\w*|UnauthorizedOperation|NotImplemented\w*)$/;

interface Options {
  /** Masks every text of a result. */
  readonly mask: () => Mask;
  readonly signal: AbortSignal;
  readonly onResult: (result: Result) => void;
}

/** Run every check: first those that only read, concurrently, then those that change the stack. */
export async function runChecks(
  checks: readonly Check[],
  world: World,
  options: Options,
): Promise<readonly Result[]> {
  const outcomes = new Map<Check, Outcome>();
  const make = async (check: Check): Promise<void> => {
    const { verdict, saw } = await outcomeOf(check, world, options.signal);
    const outcome = { verdict, saw: options.mask()(saw).replaceAll(/\s+/g, " ") };
    outcomes.set(check, outcome);
    options.onResult({ check, ...outcome });
  };
  await Promise.all(checks.filter(({ last }) => last !== true).map(make));
  for (const check of checks.filter(({ last }) => last === true)) await make(check);
  return checks.flatMap((check) => {
    const outcome = outcomes.get(check);
    return outcome === undefined ? [] : [{ check, ...outcome }];
  });
}

async function outcomeOf(check: Check, world: World, signal: AbortSignal): Promise<Outcome> {
  if (signal.aborted) return skipped("interrupted");
  try {
    return await check.run(world);
  } catch (error) {
    if (signal.aborted) return skipped("interrupted");
    if (!(error instanceof Error)) throw error;
    if (error instanceof NotMade) return skipped(error.message);
    if (error instanceof LeaseNotMade)
      return skipped(`no lease was issued: ${error.errorType}: ${error.message}`);
    const words = `${error.name}: ${error.message}`;
    if (NOT_POSSIBLE.test(error.name)) return skipped(`could not be made: ${words}`);
    return { verdict: "differs", saw: `failed with ${words}` };
  }
}
