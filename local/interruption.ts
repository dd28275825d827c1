/** npm passes on the Ctrl-C that the terminal has sent us already. Unit: milliseconds. */
const ONE_CTRL_C = 500;

/** Exit status of a program that Ctrl-C ended: 128 and the number of SIGINT. */
export const EX_INTERRUPTED = 130;

/** Resolves at the first Ctrl-C; the second ends the process, and all that hangs on it, at once. */
export function interruption(say: (line: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let first: number | undefined;
    const onSignal = (): void => {
      first ??= Date.now();
      if (Date.now() - first > ONE_CTRL_C) process.exit(EX_INTERRUPTED);
      say("stopping; again to force it");
      resolve();
    };
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  });
}
