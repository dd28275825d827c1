import { createHash } from "node:crypto";
import { type Duration, type Instant, minutes, seconds } from "../../core/time.ts";
import type { Keeper, KeeperEvents, Login } from "../keeper/keeper.ts";
import type { ClientTime } from "../time.ts";

/** A login as programs outside read it, to connect by themselves. */
export interface PublishedLogin {
  readonly login: Login;
  /** The version's id, as Secrets Manager has them: of one login always the same. */
  readonly versionId: string;
  readonly publishedAt: Instant;
}

/**
 * One login as it is handed out: the newest, and the one before for as long as it is valid. Who
 * reads it may go on using it, so each is kept alive until its end.
 */
export interface Publication extends AsyncDisposable {
  /** In the configuration, in templates, in logs and metrics. */
  readonly name: string;
  /** Undefined until the first, and from the loss of one until the next. */
  readonly newest: PublishedLogin | undefined;
  readonly previous: PublishedLogin | undefined;
  /**
   * The newest. Waits for it, and looks whether the server still lets it in, at most once a second.
   *
   * @throws KeeperError if there is none, or `signal`'s reason.
   */
  read(signal: AbortSignal): Promise<PublishedLogin>;
  /** Called with each newest login, at once with the one there is. @returns how to stop it */
  follow(listener: (published: PublishedLogin) => void): () => void;
}

export interface PublicationOptions {
  readonly name: string;
  readonly keeper: Keeper;
  /** Log in at the server: a login that is over is replaced by it. Never throws. */
  readonly look: (signal?: AbortSignal) => Promise<unknown>;
  readonly time: ClientTime;
}

/** Secrets Manager's own id of a rotated secret. Of a lease a UUID, as AWS's ids are. */
function versionIdOf(login: Login): string {
  if (login.version !== undefined) return login.version.id;
  const hex = createHash("sha256").update(login.id).digest("hex").slice(0, 32);
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Publish what a keeper holds. Asks for the first login at once. */
export const publish = (options: PublicationOptions): Publication => new KeptPublication(options);

/** Programs that read files connect by themselves: nobody tells us that the server refused one. */
const BETWEEN_LOOKS = minutes(1);
/** A reader that waits is not kept longer by a server that is away. */
const LONGEST_LOOK = seconds(2);
/** The keeper paces its own calls. */
const BETWEEN_TRIES = seconds(1);

class KeptPublication implements Publication {
  readonly name: string;
  readonly #options: PublicationOptions;
  readonly #listeners = new Set<(published: PublishedLogin) => void>();
  readonly #uses = new Map<string, () => void>();
  readonly #stop = new AbortController();
  #newest: PublishedLogin | undefined;
  #previous: PublishedLogin | undefined;

  constructor(options: PublicationOptions) {
    this.name = options.name;
    this.#options = options;
    options.keeper.on("replaced", this.#onReplaced);
    options.keeper.on("lost", this.#onLost);
    void this.#followKeeper();
  }

  get newest(): PublishedLogin | undefined {
    return this.#newest;
  }

  get previous(): PublishedLogin | undefined {
    return this.#previous;
  }

  async read(signal: AbortSignal): Promise<PublishedLogin> {
    if (this.#newest !== undefined) await this.#lookWithin(LONGEST_LOOK, signal);
    signal.throwIfAborted();
    return this.#publish(await this.#options.keeper.current(signal));
  }

  follow(listener: (published: PublishedLogin) => void): () => void {
    this.#listeners.add(listener);
    if (this.#newest !== undefined) listener(this.#newest);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    const { keeper } = this.#options;
    this.#stop.abort();
    keeper.off("replaced", this.#onReplaced);
    keeper.off("lost", this.#onLost);
    for (const release of this.#uses.values()) release();
    this.#uses.clear();
    this.#listeners.clear();
    return Promise.resolve();
  }

  readonly #onReplaced = ({ login }: KeeperEvents["replaced"][0]): void => {
    this.#publish(login);
  };

  readonly #onLost = ({ login }: KeeperEvents["lost"][0]): void => {
    this.#release(login.id);
    if (this.#previous?.login.id === login.id) this.#previous = undefined;
    if (this.#newest?.login.id === login.id) this.#newest = undefined;
  };

  async #followKeeper(): Promise<void> {
    const { keeper, look, time } = this.#options;
    const { signal } = this.#stop;
    let lookedAt = time.monotonic();
    while (!signal.aborted) {
      try {
        if (this.#newest === undefined) this.#publish(await keeper.current(signal));
        else if (time.monotonic() - lookedAt >= BETWEEN_LOOKS) {
          await look(signal);
          lookedAt = time.monotonic();
        }
      } catch {
        // the keeper's listeners were told
      }
      await time.wait(BETWEEN_TRIES, signal);
    }
  }

  async #lookWithin(length: Duration, signal: AbortSignal): Promise<void> {
    const { look, time } = this.#options;
    const done = AbortSignal.any([signal, this.#stop.signal]);
    const over = new AbortController();
    await Promise.race([look(done), time.wait(length, AbortSignal.any([done, over.signal]))]);
    over.abort();
  }

  #publish(login: Login): PublishedLogin {
    if (this.#newest?.login.id === login.id) return this.#newest;
    const { keeper, time } = this.#options;
    const published = { login, versionId: versionIdOf(login), publishedAt: time.now() };
    if (this.#stop.signal.aborted) return published;
    if (this.#previous !== undefined) this.#release(this.#previous.login.id);
    this.#previous = this.#newest;
    this.#newest = published;
    this.#uses.set(login.id, keeper.use(login));
    for (const listener of this.#listeners) listener(published);
    return published;
  }

  #release(id: string): void {
    this.#uses.get(id)?.();
    this.#uses.delete(id);
  }
}
