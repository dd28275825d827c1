import type { Account } from "./account.ts";

/** Something that this run made. */
export interface Made {
  /** For people: `the stack MayflyVerify-abcd`. */
  readonly what: string;
  /** How somebody removes it without this program. */
  readonly byHand: string;
  readonly remove: (account: Account) => Promise<void>;
}

/** What could not be removed, and why. */
export interface Leftover {
  readonly what: string;
  readonly byHand: string;
  readonly why: string;
}

/** What this run has made and not yet removed. */
export class Cleanup {
  readonly #made: Made[] = [];

  /**
   * Remember to remove something. Add it before it is made: then a failure in between leaves nothing.
   *
   * @returns what forgets it again, once it is gone.
   */
  add(made: Made): () => void {
    this.#made.push(made);
    return () => {
      const at = this.#made.indexOf(made);
      if (at >= 0) this.#made.splice(at, 1);
    };
  }

  /** What is not removed yet, the newest first. */
  get pending(): readonly Made[] {
    return this.#made.toReversed();
  }

  /** Remove everything, the newest first. Never rejects: what stays is the answer. */
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
