import type { Login } from "../../../client/keeper/keeper.ts";
import { asFailure } from "../../proxy/failures.ts";
import { holdLease } from "../../proxy/hold-lease.ts";
import type { Signals } from "../../proxy/signals.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type KeptLease, keepWanted } from "./keep-wanted.ts";
import { type LeaseOptions, type WantedLease, whichLease } from "./which-lease.ts";

/** Which lease to take. */
export interface LeaseRun {
  /** The lease, `<database>/<role>`. Undefined: the only one of the environment. */
  readonly name: string | undefined;
  readonly options: LeaseOptions;
  /** A lease that nobody uses is not renewed. @default false */
  readonly onlyWhileUsed?: boolean;
}

/** A lease that was taken. */
export interface HeldWanted extends KeptLease {
  readonly wanted: WantedLease;
  readonly login: Login;
  readonly signals: Signals;
}

/**
 * Take a lease, use it, and revoke it.
 *
 * @param use is given, too, what aborts at a signal until the signals have another handler: it must
 *   not begin then.
 * @throws ExitStatus with the status of `use`, unless it is 0; Failure if there is no lease.
 */
export async function holdWanted(
  run: LeaseRun,
  use: (held: HeldWanted, stopping: AbortSignal) => Promise<number>,
): Promise<void> {
  const { wanted, ...kept } = await wantedIn(run);
  try {
    await holdLease(kept.keeper, (login, signals, stopping) =>
      use({ ...kept, wanted, login, signals }, stopping),
    );
  } catch (error) {
    throw forPeople(error, wanted);
  }
}

type Wanted = Pick<HeldWanted, "wanted" | keyof KeptLease>;

async function wantedIn({ name, options, onlyWhileUsed = false }: LeaseRun): Promise<Wanted> {
  try {
    const wanted = await whichLease(name, options);
    return { wanted, ...(await keepWanted(wanted, onlyWhileUsed)) };
  } catch (error) {
    throw asFailure(error);
  }
}

/** People seldom have the consumer's role; a workload that is denied has the wrong one. */
function forPeople(error: unknown, { name, consumer, assume, from }: WantedLease): unknown {
  const isDenied = error instanceof Failure && causesOf(error).includes("AccessDeniedException");
  if (!isDenied || from === "environment" || assume !== undefined) return error;
  return new Failure(
    Exit.notAllowed,
    `only the role of ${consumer} may ask for ${name}; use its credentials, or pass --assume`,
    { cause: error },
  );
}

/** The names of an error's causes. */
const causesOf = ({ cause }: Error): readonly string[] =>
  cause instanceof Error ? [cause.name, ...causesOf(cause)] : [];
