import { reasonOf } from "../reason.ts";
import { visible } from "../visible.ts";
import type { Area, Finding, Fix, Verdict } from "./finding.ts";

/** Looks at one part of a deployment, and changes nothing. */
export interface Examiner {
  readonly area: Area;
  /** What it looks at, for the case that it cannot look. */
  readonly subject: string;
  examine(): Promise<readonly Finding[]>;
}

/** Of what is as it should be. */
export type Seen = Pick<Finding, "check" | "subject" | "evidence">;

/** Of what is not: with the step or the statements that mend it. */
export interface Flaw extends Seen {
  readonly verdict: Exclude<Verdict, "ok">;
  readonly fix: Fix;
}

/** A step that names what to set, and to which value. */
export const byHand = (text: string): Fix => ({ kind: "step", text });

/** What everybody found, one after the other. Who fails becomes a finding that is `unknown`. */
export async function examineAll(examiners: readonly Examiner[]): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const examiner of examiners)
    findings.push(
      ...(await examiner
        .examine()
        .catch((error: unknown) => [
          unseen(examiner.area, "examination", examiner.subject, error),
        ])),
    );
  return findings;
}

/** What could not be looked at, and why. */
export const unseen = (area: Area, check: string, subject: string, error: unknown): Finding => ({
  area,
  check,
  subject,
  verdict: "unknown",
  evidence: `it could not be looked at: ${visible(reasonOf(error))}`,
});
