/**
 * Wait for something that others wait for too: an abort ends the wait, not the thing.
 *
 * @throws the signal's reason, or what `shared` rejects with.
 */
export function waitFor<T>(shared: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return shared;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    shared.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

/** One call for all who want its answer at the same time. */
export class SharedCall<T> {
  #running: Promise<T> | undefined;

  join(begin: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.#running ??= begin().finally(() => {
      this.#running = undefined;
    });
    return waitFor(this.#running, signal);
  }
}
