import { EventEmitter } from "node:events";
import type { Keeper, KeeperEvents, Login } from "../../client/keeper/keeper.ts";
import type { Duration, Instant } from "../../core/time.ts";

/** A keeper whose logins the test hands out. */
export class FakeKeeper implements Keeper {
  #newest: Login;
  readonly #ends = new Map<string, Instant>();
  readonly #uses = new Map<string, number>();
  readonly #events = new EventEmitter<KeeperEvents>();
  readonly replaced: Login[] = [];
  overlap: Duration | undefined;
  /** What the source says of a refused login. */
  onReplace: (refused: Login) => Login | Promise<Login> = () => this.#newest;

  constructor(first: Login) {
    this.#newest = first;
  }

  /** Make a login the newest; the one before is valid until `endsAt`. */
  next(login: Login, endsAt: Instant): void {
    const before = this.#newest;
    this.#newest = login;
    this.#ends.set(before.id, endsAt);
    this.#events.emit("replaced", { login, before, endsAt });
  }

  setEnd(login: Login, endsAt: Instant): void {
    this.#ends.set(login.id, endsAt);
  }

  usesOf = (login: Login): number => this.#uses.get(login.id) ?? 0;

  current(signal?: AbortSignal): Promise<Login> {
    signal?.throwIfAborted();
    return Promise.resolve(this.#newest);
  }

  async replace(refused: Login): Promise<Login> {
    this.replaced.push(refused);
    this.#newest = await this.onReplace(refused);
    return this.#newest;
  }

  use(login: Login): () => void {
    this.#uses.set(login.id, this.usesOf(login) + 1);
    let isOver = false;
    return () => {
      if (!isOver) this.#uses.set(login.id, this.usesOf(login) - 1);
      isOver = true;
    };
  }

  endOf(login: Login): Instant | undefined {
    return this.#ends.get(login.id);
  }

  on<Name extends keyof KeeperEvents>(
    event: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ): void {
    this.#events.on(event, listener as never);
  }

  off<Name extends keyof KeeperEvents>(
    event: Name,
    listener: (...told: KeeperEvents[Name]) => void,
  ): void {
    this.#events.off(event, listener as never);
  }

  lose(login: Login, message: string): void {
    this.#events.emit("lost", { login, message });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
