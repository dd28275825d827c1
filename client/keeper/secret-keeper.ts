import {
  type Duration,
  type Instant,
  milliseconds,
  minutes,
  seconds,
  toSeconds,
} from "../../core/time.ts";
import { backgroundTime, type ClientTime } from "../time.ts";
import { Announcer } from "./announcer.ts";
import { BackOff, PACES } from "./back-off.ts";
import { callWithin } from "./call-within.ts";
import { elapsedSince, type Moment, momentOf } from "./elapsed.ts";
import { KeeperError } from "./errors.ts";
import type { Keeper, KeeperEvents, Login } from "./keeper.ts";
import { SharedCall } from "./shared-call.ts";
import type { SecretSource } from "./sources/secrets-manager.ts";

export interface SecretKeeperOptions {
  readonly source: SecretSource;
  /** @default - the clocks of this machine; waits do not keep the process from ending */
  readonly time?: ClientTime;
  /** Uniform in [0, 1). @default Math.random */
  readonly random?: () => number;
}

/**
 * Hold the login of a rotated secret: read when somebody wants it, again when a server refuses it,
 * and about every half hour.
 */
export const keepSecret = (options: SecretKeeperOptions): Keeper => new SecretKeeper(options);

/**
 * A user of a secret with two users stays valid until the rotation after the next, and rotations
 * are four hours apart at least. So half an hour is early enough for new connections to change over
 * without a refusal; a password that ended at once is refused, and read again then.
 */
const PERIOD = minutes(30);
/** Replicas that started together do not read together. */
const SPREAD = 0.07;
/** Secrets Manager answers within a second. */
const LONGEST_CALL = seconds(10);
/**
 * A rotation of one user sets the password before it publishes the version: for a second or two,
 * the published one is refused. Who was refused waits for up to four reads.
 */
const READS_WHEN_REFUSED = 4;
const BETWEEN_READS = seconds(1);

class SecretKeeper implements Keeper {
  readonly #source: SecretSource;
  readonly #time: ClientTime;
  readonly #random: () => number;
  readonly #announcer = new Announcer();
  readonly #pause: BackOff;
  readonly #vouched: BackOff;
  readonly #reading = new SharedCall<Login>();
  readonly #replacing = new SharedCall<Login>();
  readonly #stop = new AbortController();
  #newest: Login | undefined;
  #read: { readonly at: Moment; readonly due: Duration } | undefined;
  readonly overlap = undefined;

  constructor(options: SecretKeeperOptions) {
    this.#source = options.source;
    this.#time = options.time ?? backgroundTime;
    this.#random = options.random ?? Math.random;
    this.#pause = new BackOff(this.#time, this.#random);
    this.#vouched = new BackOff(this.#time, this.#random);
  }

  async current(signal?: AbortSignal): Promise<Login> {
    signal?.throwIfAborted();
    this.#refuseClosed();
    if (this.#newest === undefined) return this.#readShared(signal);
    // after a sleep, timers are late
    if (this.#dueIn() <= 0 && this.#pause.left === 0)
      return this.#readShared(signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        if (this.#newest === undefined) throw error;
        return this.#newest;
      });
    return this.#newest;
  }

  async replace(refused: Login, signal?: AbortSignal): Promise<Login> {
    signal?.throwIfAborted();
    this.#refuseClosed();
    if (this.#newest?.id !== refused.id) return this.current(signal);
    if (this.#vouched.left > 0) return this.#newest;
    return this.#replacing.join(() => this.#readUntilNew(refused), signal);
  }

  use(): () => void {
    return () => {};
  }

  endOf(): Instant | undefined {
    return undefined;
  }

  on<Name extends keyof KeeperEvents>(
    event: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ): void {
    this.#announcer.on(event, listener);
  }

  off<Name extends keyof KeeperEvents>(
    event: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ): void {
    this.#announcer.off(event, listener);
  }

  close(): Promise<void> {
    this.#stop.abort(closed());
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #readUntilNew(refused: Login): Promise<Login> {
    for (let read = 1; ; read += 1) {
      const login = await this.#readShared(undefined);
      if (login.id !== refused.id) return login;
      if (read === READS_WHEN_REFUSED) {
        this.#vouched.begin(PACES.unavailable);
        return login;
      }
      await this.#time.wait(
        milliseconds(BETWEEN_READS * (0.5 + this.#random())),
        this.#stop.signal,
      );
      this.#refuseClosed();
    }
  }

  #readShared(signal: AbortSignal | undefined): Promise<Login> {
    const { error } = this.#pause;
    if (error !== undefined) return Promise.reject(error);
    return this.#reading.join(() => this.#readNow(), signal);
  }

  async #readNow(): Promise<Login> {
    const abort = new AbortController();
    const stop = (): void => abort.abort(this.#stop.signal.reason);
    this.#stop.signal.addEventListener("abort", stop);
    const late = new KeeperError(
      "unavailable",
      `${this.#source.name} was not read within ${toSeconds(LONGEST_CALL)} s: it is read again`,
    );
    const options = { limit: LONGEST_CALL, late, abort, time: this.#time };
    try {
      const login = await callWithin((signal) => this.#source.read(signal), options);
      this.#pause.end();
      return this.#hold(login);
    } catch (error) {
      throw this.#failed(error);
    } finally {
      this.#stop.signal.removeEventListener("abort", stop);
    }
  }

  #hold(login: Login): Login {
    const before = this.#newest;
    const isFirst = before === undefined;
    const jitter = 1 + SPREAD * (this.#random() * 2 - 1);
    this.#read = { at: momentOf(this.#time), due: milliseconds(PERIOD * jitter) };
    if (before?.id === login.id) return before;
    this.#newest = login;
    this.#vouched.end();
    if (before !== undefined)
      this.#announcer.tell("replaced", { login, before, endsAt: undefined });
    if (isFirst) void this.#readBySchedule();
    return login;
  }

  async #readBySchedule(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const wait = Math.max(this.#dueIn(), this.#pause.left);
      if (wait > 0) await this.#time.wait(milliseconds(wait), this.#stop.signal);
      else await this.#readShared(undefined).catch(() => {}); // listeners were told
    }
  }

  /** How long the newest is believed. 0 or less: read it again. */
  #dueIn(): number {
    return this.#read === undefined ? 0 : this.#read.due - elapsedSince(this.#time, this.#read.at);
  }

  #failed(error: unknown): KeeperError {
    const failure =
      error instanceof KeeperError
        ? error
        : new KeeperError("unavailable", `${this.#source.name} was not read: it is read again`, {
            cause: error,
          });
    if (this.#stop.signal.aborted) return failure;
    this.#pause.failed(failure);
    this.#announcer.tell("failing", {
      failure: failure.failure,
      message: failure.message,
      left: this.#newest === undefined ? seconds(0) : undefined,
    });
    return failure;
  }

  #refuseClosed(): void {
    this.#stop.signal.throwIfAborted();
  }
}

const closed = (): KeeperError =>
  new KeeperError("invalid", "the keeper is closed: keep the secret again, or close it later");
