import type { LeaseDeps } from "../../core/ports.ts";

/** Where a {@link failingAt} fails: before the call is made, or after it, its answer lost. */
export type Side = "before" | "after";

/** The error of a call that was made to fail. */
export class Crash extends Error {}

/**
 * The same ledger and scheduler, but call number `at` (from 1, both counted together) and all calls
 * after it fail, as if the function had died there.
 */
export function failingAt(deps: LeaseDeps, at: number, side: Side) {
  const calls: string[] = [];
  const failing = <Port extends object>(port: Port): Port =>
    new Proxy(port, {
      get:
        (target, name) =>
        async (...given: unknown[]) => {
          calls.push(String(name));
          const number = calls.length;
          if (number > at || (number === at && side === "before"))
            throw new Crash(`crashed before call ${number}, ${String(name)}`);
          const call = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
          const answer = await call(...given);
          if (number === at) throw new Crash(`crashed after call ${number}, ${String(name)}`);
          return answer;
        },
    });
  return {
    deps: { ...deps, ledger: failing(deps.ledger), scheduler: failing(deps.scheduler) },
    /** Names of the calls that were tried. */
    calls,
  };
}
