import { createHash } from "node:crypto";
import { type Duration, type Instant, milliseconds, minutes, seconds } from "../../core/time.ts";
import { KeeperError } from "../keeper/errors.ts";
import type { Keeper, KeeperEvents, Login } from "../keeper/keeper.ts";
import type { ClientTime } from "../time.ts";

/** A login as programs outside read it, to connect by themselves. */
export interface PublishedLogin {
  readonly login: Login;
  /** The version's id, as Secrets Manager has them: of one login always the same. */
  readonly versionId: string;
  readonly publishedAt: Instant;
  /** When the next one is published at the latest. Undefined: nobody knows, as of a rotated secret. */
  readonly nextAt?: Instant;
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

/** An overlap before its end. */
function nextOf(login: Login, keeper: Keeper): Instant | undefined {
  const end = keeper.endOf(login);
  return end === undefined || keeper.overlap === undefined
    ? undefined
    : ((end - keeper.overlap) as Instant);
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
  #wake = new AbortController();
  #newest: PublishedLogin | undefined;
  #previous: PublishedLogin | undefined;
  /** The login that was lost last, and how many were. */
  #lost = { id: "", count: 0 };
  #lookedAt: Duration;

  constructor(options: PublicationOptions) {
    this.name = options.name;
    this.#options = options;
    this.#lookedAt = options.time.monotonic();
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
    if (this.#newest !== undefined) await this.#look(signal);
    signal.throwIfAborted();
    return this.#current(signal);
  }

  follow(listener: (published: PublishedLogin) => void): () => void {
    this.#listeners.add(listener);
    if (this.#newest !== undefined) listener(this.#newest);
    return () => this.#listeners.delete(listener);
  }

  [Symbol.asyncDispose](): Promise<void> {
    const { keeper } = this.#options;
    this.#stop.abort(new KeeperError("invalid", `${this.name} is no longer handed out: we stop`));
    this.#wake.abort("woken");
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
    this.#lost = { id: login.id, count: this.#lost.count + 1 };
    this.#release(login.id);
    if (this.#previous?.login.id === login.id) this.#previous = undefined;
    if (this.#newest?.login.id !== login.id) return;
    this.#newest = undefined;
    this.#wake.abort("woken");
  };

  async #followKeeper(): Promise<void> {
    const { time } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      this.#wake = new AbortController();
      if (this.#newest === undefined)
        // the keeper's listeners are told why there is none
        await this.#current(signal).catch(() => time.wait(BETWEEN_TRIES, this.#wake.signal));
      else if (this.#lookIn() <= 0) await this.#look(undefined);
      else await time.wait(milliseconds(this.#lookIn()), this.#wake.signal);
    }
  }

  #lookIn(): number {
    return this.#lookedAt + BETWEEN_LOOKS - this.#options.time.monotonic();
  }

  /** Look at the server, but do not wait for it long. */
  async #look(signal: AbortSignal | undefined): Promise<void> {
    const { look, time } = this.#options;
    this.#lookedAt = time.monotonic();
    const done = new AbortController();
    const stop = (): void => done.abort("stopped");
    signal?.addEventListener("abort", stop, { once: true });
    await Promise.race([look(signal), time.wait(LONGEST_LOOK, done.signal)]);
    signal?.removeEventListener("abort", stop);
    stop();
  }

  /** The keeper's newest. What it hands out may have been replaced or lost on the way to us. */
  async #current(signal: AbortSignal): Promise<PublishedLogin> {
    for (;;) {
      const { count } = this.#lost;
      const login = await this.#options.keeper.current(signal);
      this.#stop.signal.throwIfAborted();
      if (this.#newest !== undefined && login.id === this.#previous?.login.id) return this.#newest;
      // one that was lost before we asked is valid again: a renewal's answer was lost, not the lease
      if (login.id !== this.#lost.id || count === this.#lost.count) return this.#publish(login);
    }
  }

  #publish(login: Login): PublishedLogin {
    if (this.#newest?.login.id === login.id) return this.#newest;
    const { keeper, time } = this.#options;
    const nextAt = nextOf(login, keeper);
    const published = {
      login,
      versionId: versionIdOf(login),
      publishedAt: time.now(),
      ...(nextAt !== undefined && { nextAt }),
    };
    if (this.#newest !== undefined) {
      if (this.#previous !== undefined) this.#release(this.#previous.login.id);
      this.#previous = this.#newest;
    }
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
