import { constants } from "node:os";

/** The signals with which shells, supervisors and people speak to a program and its command. */
const SIGNALS = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const;
export type Signal = (typeof SIGNALS)[number];

/** Who hears signals now. One at a time. */
export interface Signals extends Disposable {
  handle: (signal: Signal) => void;
}

/** Hear signals instead of being ended by them, until the answer is disposed. */
export function listenForSignals(handle: Signals["handle"]): Signals {
  const signals: Signals = {
    handle,
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
  const onSignal = (signal: NodeJS.Signals): void => signals.handle(signal as Signal);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return signals;
}

/** The exit status of a shell for a program that a signal ended. */
export const statusOfSignal = (signal: NodeJS.Signals): number => 128 + constants.signals[signal];
