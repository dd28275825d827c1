import type { Keeper, Login } from "../../client/keeper/keeper.ts";
import { ExitStatus } from "../terminal/exit.ts";
import { asFailure } from "./failures.ts";
import { listenForSignals, type Signal, type Signals, statusOfSignal } from "./signals.ts";

/**
 * What a command does with a lease. It returns its exit status.
 *
 * @param stopping aborts at a signal until `signals` has another handler: do not begin then.
 */
export type UseLease = (login: Login, signals: Signals, stopping: AbortSignal) => Promise<number>;

/**
 * Take a lease, use it, and revoke it: also when a signal comes before there is one.
 *
 * @throws ExitStatus with the status of `use`, unless it is 0; Failure if there is no lease.
 */
export async function holdLease(keeper: Keeper, use: UseLease): Promise<void> {
  const stopping = new AbortController();
  let stopped: Signal | undefined;
  using signals = listenForSignals((signal) => {
    stopped ??= signal;
    stopping.abort();
  });
  let status: number;
  try {
    status = await use(await keeper.current(stopping.signal), signals, stopping.signal);
  } catch (error) {
    if (stopped === undefined) throw asFailure(error);
    status = statusOfSignal(stopped);
  } finally {
    // a second Ctrl-C must not leave the lease; the keeper gives up after some seconds
    signals.handle = () => {};
    await keeper.close();
  }
  if (status !== 0) throw new ExitStatus(status);
}
