import { cpus } from "node:os";
import { setTimeout as wait } from "node:timers/promises";

/** How long one look lasts. Milliseconds. */
const LOOK = 300;
/** A share of all cores. */
const QUIET = 0.15;
/** Then we measure anyway. Milliseconds. */
const LONGEST_WAIT = 10_000;

function times(): { readonly busy: number; readonly all: number } {
  let busy = 0;
  let all = 0;
  for (const { times: spent } of cpus()) {
    const sum = Object.values(spent).reduce((total, each) => total + each, 0);
    all += sum;
    busy += sum - spent.idle;
  }
  return { busy, all };
}

/**
 * Wait until the machine does little else: while others work, a second process on the way of each
 * statement waits for them twice.
 *
 * @returns whether it became quiet.
 */
export async function untilQuiet(): Promise<boolean> {
  const deadline = performance.now() + LONGEST_WAIT;
  do {
    const before = times();
    await wait(LOOK);
    const after = times();
    if ((after.busy - before.busy) / (after.all - before.all) <= QUIET) return true;
  } while (performance.now() < deadline);
  return false;
}
