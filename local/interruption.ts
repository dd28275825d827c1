/** Within this time, a second SIGINT is npm's copy of the same Ctrl-C. Milliseconds. */
const ONE_CTRL_C = 500;

/** Exit status of a program that Ctrl-C ended: 128 and the number of SIGINT. */
export const EX_INTERRUPTED = 130;

/** Whether somebody wants this program to stop. */
export interface Interruption {
  /** Aborted after Ctrl-C. Later failures may come from the children, which got the Ctrl-C too. */
  readonly signal: AbortSignal;
  /** Resolves at the first Ctrl-C. */
  readonly whenItHappens: Promise<void>;
}

/** Listen for Ctrl-C. The second one ends this process and its children at once. */
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
