/** npm passes on the Ctrl-C that the terminal has sent us already. Unit: milliseconds. */
const ONE_CTRL_C = 500;

/** Exit status of a program that Ctrl-C ended: 128 and the number of SIGINT. */
export const EX_INTERRUPTED = 130;

/** Whether somebody wants this program to stop. */
export interface Interruption {
  /** Aborted from then on: what fails now may fail because the terminal told our children too. */
  readonly signal: AbortSignal;
  /** Resolves at the first Ctrl-C. */
  readonly whenItHappens: Promise<void>;
}

/** Listen for Ctrl-C; the second one ends the process, and all that hangs on it, at once. */
export function interruption(say: (line: string) => void): Interruption {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stopping = new AbortController();
  let first: number | undefined;
  const onSignal = (): void => {
    first ??= Date.now();
    if (Date.now() - first > ONE_CTRL_C) process.exit(EX_INTERRUPTED);
    say("stopping; again to force it");
    stopping.abort();
    resolve();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return { signal: stopping.signal, whenItHappens: promise };
}
