import { randomUUID } from "node:crypto";
import { LeaseEndedError } from "../../core/errors.ts";
import {
  between,
  type Duration,
  type Instant,
  milliseconds,
  minutes,
  plus,
  seconds,
  toSeconds,
} from "../../core/time.ts";
import { backgroundTime, type ClientTime } from "../time.ts";
import { Announcer } from "./announcer.ts";
import { BackOff, PACES, type Pace } from "./back-off.ts";
import { callWithin } from "./call-within.ts";
import { DatabaseClock } from "./database-clock.ts";
import { decideStep, type Step } from "./decide-step.ts";
import type { Moment } from "./elapsed.ts";
import { KeeperError } from "./errors.ts";
import { HeldLease, OVERLAP } from "./held-lease.ts";
import type { Keeper, KeeperEvents, Login } from "./keeper.ts";
import { SharedCall } from "./shared-call.ts";
import { type Answer, SourceCalls } from "./source-calls.ts";
import { fromEnvironment } from "./sources/environment.ts";
import type { IssuedLease, LeaseEnds, LeaseSource } from "./sources/lease-source.ts";

export interface LeaseKeeperOptions {
  /** Where leases come from. @default - the issuer that `MAYFLY_LEASE_…` names */
  readonly source?: LeaseSource;
  /**
   * The idempotency key, 1 to 128 printable ASCII characters: whoever asks with it finds the same
   * lease, such as a process that was started again.
   * @default - random
   */
  readonly key?: string;
  /** Others hold leases of this key too: `close` revokes none. @default false */
  readonly shared?: boolean;
  /**
   * Whether a lease that nobody uses runs out, instead of being renewed and replaced; whoever wants
   * a login then gets a new one. For people, whose tools stay open overnight. @default false
   */
  readonly onlyWhileUsed?: boolean;
  /** How long a lease lives without renewal. Unit: seconds, at least 10. @default - the role's */
  readonly ttlSeconds?: number;
  /**
   * For how long a lease and the next shall be valid together: as long as anybody keeps a login that
   * was read once. Less than 35 minutes has no effect; half of the role's maximum is the most. Unit:
   * seconds.
   * @default 2100, 35 minutes
   */
  readonly overlapSeconds?: number;
  /** @default - the clocks of this machine; waits do not keep the process from ending */
  readonly time?: ClientTime;
  /** Uniform in [0, 1). @default Math.random */
  readonly random?: () => number;
}

/**
 * Hold one lease that is valid, for as long as the process wants it. The first call is made by
 * `current()`.
 *
 * @throws KeeperError if no source is given, and the environment names none or several.
 */
export const keepLease = (options: LeaseKeeperOptions = {}): Keeper => new LeaseKeeper(options);

/** A process that ends has five to ten seconds, where it runs in a container. */
const LONGEST_CLOSE = seconds(5);
/** A renewal that takes a few seconds must still come in time for a login. */
const LONGEST_NEAR_END = seconds(30);
/** Whether a lease was issued just now: the server's clock shows whole seconds. */
const JUST_NOW = seconds(5);
const WHOLE_SECOND = seconds(1);
/** The source says that a refused lease is valid: servers that refuse it all the same ask seldom. */
const VOUCHED: Pace = PACES.unavailable;
/** The same of a lease that was replaced: its sessions may read 42501 all the time. */
const OLDER_LOOKED_AT = minutes(1);
/** Logins whose end is remembered after they were lost. */
const ENDS_KEPT = 64;

class LeaseKeeper implements Keeper {
  readonly #source: LeaseSource;
  readonly #key: string;
  readonly #isShared: boolean;
  readonly #onlyWhileUsed: boolean;
  readonly #ttlSeconds: number | undefined;
  readonly #wish: Duration;
  readonly #time: ClientTime;
  readonly #random: () => number;
  readonly #clock: DatabaseClock;
  readonly #calls: SourceCalls;
  readonly #announcer = new Announcer();
  /** After failures of any call. */
  readonly #pause: BackOff;
  /** After what concerns further leases only, such as a limit: renewals go on. */
  readonly #limit: BackOff;
  readonly #vouched: BackOff;
  readonly #asking = new SharedCall<Login>();
  readonly #replacing = new SharedCall<Login>();
  #newest: HeldLease | undefined;
  #older: readonly HeldLease[] = [];
  #overlap: Duration | undefined;
  readonly #ends = new Map<string, Instant>();
  #isWatching = false;
  #wake = new AbortController();
  #isClosed = false;
  #closing: Promise<void> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#source = options.source ?? fromEnvironment();
    // copies of a snapshot of this process have one cache
    this.#key = options.key ?? randomUUID({ disableEntropyCache: true });
    this.#isShared = options.shared ?? false;
    this.#onlyWhileUsed = options.onlyWhileUsed ?? false;
    this.#ttlSeconds = options.ttlSeconds;
    this.#wish = milliseconds(Math.max(OVERLAP, seconds(options.overlapSeconds ?? 0)));
    this.#time = options.time ?? backgroundTime;
    this.#random = options.random ?? Math.random;
    this.#calls = new SourceCalls(this.#source.name, this.#time);
    this.#clock = new DatabaseClock(this.#time);
    this.#pause = new BackOff(this.#time, this.#random);
    this.#limit = new BackOff(this.#time, this.#random);
    this.#vouched = new BackOff(this.#time, this.#random);
  }

  async current(signal?: AbortSignal): Promise<Login> {
    signal?.throwIfAborted();
    this.#refuseClosed();
    if (this.#newest !== undefined && !this.#mustLook(this.#newest)) return this.#newest.login;
    this.#calls.endFrozen();
    return this.#asking.join(() => this.#calls.oneByOne(() => this.#validLogin()), signal);
  }

  async replace(refused: Login, signal?: AbortSignal): Promise<Login> {
    signal?.throwIfAborted();
    this.#refuseClosed();
    const newest = this.#newest;
    if (newest === undefined || newest.id !== refused.id) {
      const older = this.#older.find(({ id }) => id === refused.id);
      if (older !== undefined) this.#lookSoon(older);
      return this.current(signal);
    }
    if (this.#vouched.left > 0) return newest.login;
    this.#calls.endFrozen();
    return this.#replacing.join(
      () =>
        this.#calls.oneByOne(async () => {
          if (this.#newest === newest) {
            const error = await this.#renew(newest);
            if (error !== undefined) throw error;
            if (this.#newest === newest) this.#vouched.begin(VOUCHED);
          }
          return this.#validLogin();
        }),
      signal,
    );
  }

  use(login: Login): () => void {
    const lease = this.#held().find(({ id }) => id === login.id);
    if (lease === undefined) return () => {};
    lease.uses += 1;
    if (lease !== this.#newest || this.#onlyWhileUsed) this.#wake.abort("woken");
    let isOver = false;
    return () => {
      if (!isOver) lease.uses -= 1;
      isOver = true;
    };
  }

  endOf(login: Login): Instant | undefined {
    const end = this.#ends.get(login.id);
    return end === undefined ? undefined : this.#clock.here(end);
  }

  get overlap(): Duration | undefined {
    return this.#overlap;
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
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The newest lease if it is valid, or another. Asks nobody while a wait runs. */
  async #validLogin(): Promise<Login> {
    this.#refuseClosed();
    for (;;) {
      const lease = this.#newest;
      if (lease === undefined) return (await this.#askFirst()).login;
      if (!this.#mustLook(lease)) return lease.login;
      const error = await this.#renew(lease);
      if (this.#newest !== lease) continue;
      if (error === undefined || this.#clock.atLeast() < lease.expiresAt) return lease.login;
      this.#lose(lease, unrenewed(error));
    }
  }

  /** Whether it may be over, or ends soon although it could be renewed. */
  #mustLook(lease: HeldLease): boolean {
    const left = lease.expiresAt - this.#clock.now();
    if (left <= 0) return true;
    return lease.canBeRenewed && left < Math.min(LONGEST_NEAR_END, lease.life / 10);
  }

  async #askFirst(): Promise<HeldLease> {
    for (;;) {
      const issued = await this.#ask(undefined);
      if (issued instanceof KeeperError) throw issued;
      const lease = this.#hold(issued);
      // an earlier process was given it: only a renewal shows how old it is
      if (this.#clock.isDoubtful) await this.#renew(lease);
      if (this.#newest === lease) return lease;
    }
  }

  #hold({ answer, at }: Answer<IssuedLease>): HeldLease {
    this.#learnFromIssue(answer, at);
    const held = new HeldLease(answer, this.#random, this.#wish);
    this.#newest = held;
    this.#remember(held);
    this.#vouched.end();
    this.#watch();
    return held;
  }

  /** A lease issued just now shows the database's time. Of another one, only a renewal does. */
  #learnFromIssue({ issuedAt, expiresAt }: IssuedLease, at: Moment): void {
    const answered = this.#time.now();
    const isNew = issuedAt > at.wall - JUST_NOW && issuedAt < answered + JUST_NOW;
    if (isNew) this.#clock.learn(plus(issuedAt, WHOLE_SECOND), at);
    else if (!this.#clock.isKnown)
      this.#clock.guess(Math.min(Math.max(at.wall, issuedAt), expiresAt - JUST_NOW) as Instant, at);
  }

  /** Ask for a lease: the first, or the one after `before`. */
  async #ask(before: HeldLease | undefined): Promise<Answer<IssuedLease> | KeeperError> {
    const waiting = this.#pause.error ?? this.#limit.error;
    if (waiting !== undefined) return waiting;
    try {
      const issued = await this.#callSource((signal) =>
        this.#source.issue(
          {
            key: this.#key,
            ttlSeconds: this.#ttlSeconds,
            minRemainingSeconds: before && toSeconds(before.remainingOfNext),
          },
          signal,
        ),
      );
      this.#limit.end();
      return issued;
    } catch (error) {
      return this.#failed(error, before !== undefined);
    }
  }

  /**
   * Renew a lease. One that is over is lost.
   *
   * @returns why it was not renewed; undefined if it was, or is over.
   */
  async #renew(lease: HeldLease): Promise<KeeperError | undefined> {
    if (this.#pause.error !== undefined) return this.#pause.error;
    const before = lease.expiresAt;
    try {
      const { answer, at } = await this.#callSource((signal) =>
        this.#source.renew(lease.id, this.#ttlSeconds, signal),
      );
      this.#clock.learn(timeOf(answer), at);
      lease.renewed(answer);
      this.#remember(lease);
    } catch (error) {
      if (!(error instanceof LeaseEndedError)) return this.#failed(error);
      this.#pause.end();
      this.#lose(lease, error.message);
      return undefined;
    }
    if (lease === this.#newest && lease.expiresAt > before)
      this.#announcer.tell("renewed", {
        login: lease.login,
        endsAt: this.#clock.here(lease.expiresAt),
      });
    return undefined;
  }

  async #askNext(before: HeldLease): Promise<void> {
    const issued = await this.#ask(before);
    if (issued instanceof KeeperError) {
      // the maximum may have been lowered: a renewal shows it
      if (issued.failure === "invalid") this.#clock.doubt();
      return;
    }
    if (issued.answer.login.id === before.id) {
      // the issuer finds that it lives long enough: ask when a little more has passed
      const later = Math.max(WHOLE_SECOND, before.overlap / 200) as Duration;
      before.nextAt = plus(this.#clock.now(), later);
      return;
    }
    this.#older = [...this.#older, before];
    const next = this.#hold(issued);
    this.#announcer.tell("replaced", {
      login: next.login,
      before: before.login,
      endsAt: this.endOf(before.login),
    });
  }

  /** Where there may be no second lease, the next is asked for when this one is revoked. */
  async #makeRoom(lease: HeldLease): Promise<void> {
    this.#lose(
      lease,
      "it is at its maximum, and there may be no second lease beside it (maxLeases is 1)",
    );
    try {
      await this.#callSource((signal) => this.#source.revoke(lease.id, signal));
    } catch (error) {
      this.#failed(error);
      return;
    }
    const next = await this.#ask(undefined);
    if (!(next instanceof KeeperError)) this.#hold(next);
  }

  #announceEnd(lease: HeldLease): void {
    lease.isEndAnnounced = true;
    this.#announcer.tell("failing", {
      failure: "limit",
      message: `${this.#source.name} allows one lease: sessions end with it, then comes the next; raise maxLeases to 2`,
      left: between(this.#clock.now(), lease.maxExpiresAt),
    });
  }

  /** The lease is over. Who uses it, or would have got it next, is told. */
  #lose(lease: HeldLease, message: string): void {
    const matters = lease === this.#newest || lease.uses > 0;
    if (lease === this.#newest) this.#limit.end(); // it counts no more
    this.#forget(lease);
    this.#ends.set(lease.id, this.#clock.now());
    if (matters) this.#announcer.tell("lost", { login: lease.login, message });
  }

  #forget(lease: HeldLease): void {
    if (lease === this.#newest) this.#newest = undefined;
    this.#older = this.#older.filter((each) => each !== lease);
  }

  /** Also after it is lost: sessions of it are still there, and ask when they end. */
  #remember(lease: HeldLease): void {
    this.#ends.set(lease.id, lease.maxExpiresAt);
    if (lease === this.#newest) this.#overlap = lease.mayHaveNext ? lease.overlap : undefined;
    const held = new Set(this.#held().map(({ id }) => id));
    for (const id of this.#ends.keys()) {
      if (this.#ends.size <= ENDS_KEPT) return;
      if (!held.has(id) && id !== lease.id) this.#ends.delete(id);
    }
  }

  #held(): readonly HeldLease[] {
    return this.#newest === undefined ? this.#older : [this.#newest, ...this.#older];
  }

  #lookSoon(lease: HeldLease): void {
    const now = this.#clock.now();
    if (now < lease.vouchedUntil) return;
    lease.vouchedUntil = plus(now, OLDER_LOOKED_AT);
    lease.lookAt = now;
    this.#wake.abort("woken");
  }

  /** Begin to look after what is held, if nobody does. */
  #watch(): void {
    this.#wake.abort("woken");
    if (this.#isWatching) return;
    this.#isWatching = true;
    void this.#lookAfterLeases();
  }

  /** Until nothing is held: then somebody must want a login first. */
  async #lookAfterLeases(): Promise<void> {
    while (!this.#isClosed && this.#held().length > 0) {
      const step = this.#nextStep();
      if (step.kind === "wait") {
        this.#wake = new AbortController();
        await this.#time.wait(step.length, this.#wake.signal);
      } else {
        await this.#calls.oneByOne(() => this.#take(this.#nextStep()));
      }
    }
    this.#isWatching = false;
  }

  #nextStep(): Step {
    if (this.#isClosed || this.#held().length === 0) return { kind: "wait", length: seconds(0) };
    return decideStep({
      newest: this.#newest,
      older: this.#older,
      now: this.#clock.now(),
      atLeast: this.#clock.atLeast(),
      isDoubtful: this.#clock.isDoubtful,
      paused: this.#pause.left,
      limited: this.#limit.left,
      onlyWhileUsed: this.#onlyWhileUsed,
    });
  }

  async #take(step: Step): Promise<void> {
    switch (step.kind) {
      case "renew":
        await this.#renew(step.lease);
        return;
      case "ask next":
        return this.#askNext(step.lease);
      case "announce":
        return this.#announceEnd(step.lease);
      case "make room":
        return this.#makeRoom(step.lease);
      case "lose":
        return this.#lose(step.lease, unrenewed(this.#pause.error));
      case "forget":
        return this.#forget(step.lease);
      case "wait":
        return;
      default:
        return step satisfies never;
    }
  }

  /** @throws LeaseEndedError, KeeperError, or whatever the source throws. */
  async #callSource<T>(call: (signal: AbortSignal) => Promise<T>): Promise<Answer<T>> {
    const answer = await this.#calls.make(call);
    this.#pause.end();
    return answer;
  }

  /** @param ofNext a renewal of the lease that is held may succeed all the same. */
  #failed(error: unknown, ofNext = false): KeeperError {
    const failure = error instanceof KeeperError ? error : unexpected(this.#source.name, error);
    if (this.#isClosed) return failure;
    const newest = this.#newest;
    const isLimit = failure.failure === "limit" || (ofNext && failure.failure === "invalid");
    (isLimit ? this.#limit : this.#pause).failed(failure);
    const end = isLimit ? newest?.maxExpiresAt : newest?.expiresAt;
    this.#announcer.tell("failing", {
      failure: failure.failure,
      message: failure.message,
      left: end === undefined ? seconds(0) : between(this.#clock.now(), end),
    });
    return failure;
  }

  #refuseClosed(): void {
    if (this.#isClosed)
      throw new KeeperError(
        "invalid",
        "the keeper is closed: keep a lease again, or close it later",
      );
  }

  /** What a call in flight still brings is revoked too. */
  async #close(): Promise<void> {
    this.#isClosed = true;
    this.#wake.abort("woken");
    const abort = new AbortController();
    const late = new KeeperError("unavailable", `${this.#source.name} does not answer`);
    const revokeAll = async (signal: AbortSignal): Promise<void> => {
      await this.#calls.done;
      if (this.#isShared) return;
      await Promise.all(this.#held().map(({ id }) => this.#source.revoke(id, signal)));
    };
    try {
      await callWithin(revokeAll, { limit: LONGEST_CLOSE, late, abort, time: this.#time });
    } catch (error) {
      this.#calls.abort(error);
      const { failure, message } =
        error instanceof KeeperError ? error : unexpected(this.#source.name, error);
      this.#announcer.tell("failing", {
        failure,
        message: `not revoked, ends by itself: ${message}`,
        left: seconds(0),
      });
    }
  }
}

/** The database's time when it renewed: `refreshAfter` is two thirds of the way to `expiresAt`. */
const timeOf = ({ refreshAfter, expiresAt }: LeaseEnds): Instant =>
  (3 * refreshAfter - 2 * expiresAt) as Instant;

const unrenewed = (error: KeeperError | undefined): string =>
  error === undefined
    ? "its time is up"
    : `its time is up, and it was not renewed: ${error.message}`;

const unexpected = (source: string, cause: unknown): KeeperError =>
  new KeeperError(
    "unavailable",
    `${source} failed (${cause instanceof Error ? cause.name : typeof cause}): it is asked again`,
    { cause },
  );
