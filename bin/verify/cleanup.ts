import type { Account } from "./account.ts";

/** Something that this run created. */
export interface Made {
  /** For people: `the stack MayflyVerify-abcd`. */
  readonly what: string;
  /** A command that removes it without this program. */
  readonly byHand: string;
  readonly remove: (account: Account) => Promise<void>;
}

/** Something that could not be removed, and why. */
export interface Leftover {
  readonly what: string;
  readonly byHand: string;
  readonly why: string;
}

/** Everything that this run created and has not removed yet. */
export class Cleanup {
  readonly #made: Made[] = [];

  /**
   * Remember to remove something. Add it before you create it, so that a failure leaves nothing
   * behind.
   *
   * @returns a function that forgets it, for when it is removed.
   */
  add(made: Made): () => void {
    this.#made.push(made);
    return () => {
      const at = this.#made.indexOf(made);
      if (at >= 0) this.#made.splice(at, 1);
    };
  }

  /** Everything that is not removed yet, the newest first. */
  get pending(): readonly Made[] {
    return this.#made.toReversed();
  }

  /** Remove everything, the newest first. Never rejects: returns what could not be removed. */
  async run(account: Account, onStep: (what: string) => void): Promise<readonly Leftover[]> {
    const left: Leftover[] = [];
    for (const { what, byHand, remove } of this.pending) {
      onStep(what);
      try {
        await remove(account);
      } catch (error) {
        left.push({ what, byHand, why: error instanceof Error ? error.message : String(error) });
      }
    }
    this.#made.length = 0;
    return left;
  }
}
