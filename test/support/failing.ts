import type { LeaseDeps } from "../../core/leases/ports.ts";

/** Where a call fails: before it is made, or after it, its answer lost. */
export type Side = "before" | "after";

/** The error of a call that was made to fail. */
export class Crash extends Error {}

/** A point at which a function dies: all ports that it wraps count their calls together. */
export interface CrashPoint {
  /** Names of the calls that were tried. */
  readonly calls: readonly string[];
  /** Whether the point was reached; adapters may have turned its error into another. */
  readonly isDead: () => boolean;
  /** The same port, but call number `at` (from 1) and all calls after it fail. */
  readonly wrap: <Port extends object>(port: Port) => Port;
}

/** Die at call number `at`, as if the function had been killed there. */
export function crashAt(at: number, side: Side): CrashPoint {
  const calls: string[] = [];
  let isDead = false;
  const die = (text: string): never => {
    isDead = true;
    throw new Crash(text);
  };
  return {
    calls,
    isDead: () => isDead,
    wrap: (port) =>
      new Proxy(port, {
        get: (target, name) => {
          const call: unknown = Reflect.get(target, name);
          if (typeof call !== "function") return call;
          return async (...given: unknown[]): Promise<unknown> => {
            calls.push(String(name));
            const number = calls.length;
            if (number > at || (number === at && side === "before"))
              die(`crashed before call ${number}, ${String(name)}`);
            const answer: unknown = await call(...given);
            if (number === at) die(`crashed after call ${number}, ${String(name)}`);
            return answer;
          };
        },
      }),
  };
}

/** The same ledger and scheduler, but they die at call number `at`. */
export function failingAt(deps: LeaseDeps, at: number, side: Side) {
  const { wrap, calls } = crashAt(at, side);
  return {
    deps: { ...deps, ledger: wrap(deps.ledger), scheduler: wrap(deps.scheduler) },
    calls,
  };
}
