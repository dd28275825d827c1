/** The result of one check: what it saw, or why it was skipped, in one line. */
export interface Outcome {
  readonly verdict: Verdict;
  readonly saw: string;
}

export type Verdict = "as documented" | "differs" | "skipped";

export const fine = (saw: string): Outcome => ({ verdict: "as documented", saw });
export const differs = (saw: string): Outcome => ({ verdict: "differs", saw });
export const skipped = (why: string): Outcome => ({ verdict: "skipped", saw: why });

/** The check cannot run here. It is skipped, and the message says why. */
export class NotMade extends Error {}
