/** Within this time, a second SIGINT is npm's copy of the same Ctrl-C. Milliseconds. */
const ONE_CTRL_C = 500;

/** Exit status of a program that Ctrl-C ended: 128 and the number of SIGINT. */
const EX_INTERRUPTED = 130;

/** Ctrl-C, or SIGTERM. */
export interface Interruption {
  /** Aborted at the first one. */
  readonly signal: AbortSignal;
  /** Stop listening. */
  readonly end: () => void;
}

/** Called at the first Ctrl-C, and at the second, which ends the process at once. */
export interface InterruptionListener {
  onFirst(): void;
  onSecond(): void;
}

export function listenForInterruption(listener: InterruptionListener): Interruption {
  const stopping = new AbortController();
  let first: number | undefined;
  const onSignal = (): void => {
    if (first === undefined) {
      first = Date.now();
      listener.onFirst();
      stopping.abort();
    } else if (Date.now() - first > ONE_CTRL_C) {
      listener.onSecond();
      process.exit(EX_INTERRUPTED);
    }
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    signal: stopping.signal,
    end: () => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal),
  };
}
