import { type Duration, minutes } from "../../core/time.ts";
import type { Keeper, Login } from "../keeper/keeper.ts";
import type { ClientTime } from "../time.ts";

/** An application that lacks a privilege for good reads 42501 all the time. */
const AT_MOST_EVERY = minutes(1);

/**
 * Asks the keeper to look at a lease whose statements are refused with 42501: a revocation takes
 * the privileges first. So the next client gets a lease that works.
 */
export class PrivilegeWatch {
  readonly #keeper: Keeper;
  readonly #time: ClientTime;
  #asked: { readonly id: string; readonly at: Duration } | undefined;

  constructor(keeper: Keeper, time: ClientTime) {
    this.#keeper = keeper;
    this.#time = time;
  }

  refused(login: Login): void {
    const at = this.#time.monotonic();
    if (this.#asked?.id === login.id && at - this.#asked.at < AT_MOST_EVERY) return;
    this.#asked = { id: login.id, at };
    // the keeper tells its own failures; whoever connects next asks again
    this.#keeper.replace(login).catch(() => {});
  }
}
