import type { SourceFailure } from "./keeper.ts";

/** The longest message of an error: it must fit into a line of a log. Unit: characters. */
const LONGEST = 160;

/** There is no login. `failure` says who can change that; `cause` is what the source threw. */
export class KeeperError extends Error {
  override readonly name = "KeeperError";
  readonly failure: SourceFailure;

  /** @param message what failed, the value, the remedy. At most 160 characters are kept. */
  constructor(failure: SourceFailure, message: string, options?: ErrorOptions) {
    super(clipped(message, LONGEST), options);
    this.failure = failure;
  }
}

/** A text of at most `longest` characters. */
export const clipped = (text: string, longest: number): string =>
  text.length <= longest ? text : `${text.slice(0, longest - 1)}…`;
