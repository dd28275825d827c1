import type { LeaseDeps } from "../../core/leases/lease-ports.ts";

/** Where a call fails: before it is made, or after it, its answer lost. */
export type Side = "before" | "after";

/**
 * What happens at one point. `before` and `after`: the function dies there, and every later call with
 * it. `fail`: that call alone fails, and is not made. `repeat`: it is made twice, as after an answer that
 * was lost on its way. `delay`: somebody else comes first.
 */
export type Fault = Side | "fail" | "repeat" | "delay";

/** The error of a call that was made to fail. */
export class Crash extends Error {}

/** Points of one operation: every effect goes through one, as `<port>.<call>`. */
export interface Points {
  /** Names of the calls that were tried. */
  readonly calls: readonly string[];
  /** Whether the point was reached; adapters may have turned its error into another. */
  readonly isDead: () => boolean;
  /** The same port, with the fault in it. */
  readonly wrap: <Port extends object>(port: Port, name?: string) => Port;
}

/**
 * Let something happen at call number `at` (from 1) of all ports that are wrapped.
 *
 * @param meanwhile what comes first where a call is delayed.
 */
export function faultAt(
  at: number,
  fault: Fault,
  meanwhile: () => Promise<unknown> = async () => {},
): Points {
  const calls: string[] = [];
  let isDead = false;
  const die = (text: string): never => {
    isDead = true;
    throw new Crash(text);
  };
  return {
    calls,
    isDead: () => isDead,
    wrap: (port, portName) =>
      new Proxy(port, {
        get: (target, key) => {
          const call: unknown = Reflect.get(target, key);
          if (typeof call !== "function") return call;
          const name = portName === undefined ? String(key) : `${portName}.${String(key)}`;
          return async (...given: unknown[]): Promise<unknown> => {
            calls.push(name);
            const number = calls.length;
            const isHere = number === at;
            // dead, even where the call itself has failed and nothing was said of it
            const isPast = number > at && (fault === "before" || fault === "after");
            if (isPast || (isHere && fault === "before"))
              die(`crashed before call ${number}, ${name}`);
            if (isHere && fault === "fail") throw new Crash(`call ${number}, ${name}, failed`);
            if (isHere && fault === "delay") await meanwhile();
            if (isHere && fault === "repeat") await call(...given);
            const answer: unknown = await call(...given);
            if (isHere && fault === "after") die(`crashed after call ${number}, ${name}`);
            return answer;
          };
        },
      }),
  };
}

/** Die at call number `at`, as if the function had been killed there. */
export const crashAt = (at: number, side: Side): Points => faultAt(at, side);

/** Ask for all leases but one, which answers `instead`: the answers, in the order of the leases. */
export async function askForOthers<Lease extends { readonly username: string }, Answer>(
  leases: readonly Lease[],
  stubborn: string | undefined,
  instead: Answer,
  ask: (others: readonly Lease[]) => Promise<readonly Answer[]>,
): Promise<readonly Answer[]> {
  const others = leases.filter(({ username }) => username !== stubborn);
  const answers = await ask(others);
  return leases.map((lease) => answers[others.indexOf(lease)] ?? instead);
}

/** The same engine and scheduler, with something that happens at call number `at`. */
export function failingAt(
  deps: LeaseDeps,
  at: number,
  fault: Fault,
  meanwhile?: () => Promise<unknown>,
) {
  const { wrap, calls } = faultAt(at, fault, meanwhile);
  return {
    deps: {
      ...deps,
      engine: wrap(deps.engine, "engine"),
      janitor: wrap(deps.janitor, "janitor"),
      scheduler: wrap(deps.scheduler, "scheduler"),
    },
    calls,
  };
}
