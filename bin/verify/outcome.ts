/** What came of one check, and what it saw or why it was not made, in one line. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly saw: string;
}

export type Verdict = "as documented" | "differs" | "skipped";

export const fine = (saw: string): Outcome => ({ verdict: "as documented", saw });
export const differs = (saw: string): Outcome => ({ verdict: "differs", saw });
export const skipped = (why: string): Outcome => ({ verdict: "skipped", saw: why });

/** A check cannot be made. It is skipped, and the message says why. */
export class NotMade extends Error {}
