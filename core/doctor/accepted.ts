import { visible } from "../visible.ts";
import { type Finding, type Verdict, worstOf } from "./finding.ts";

/** What somebody said to live with: `check`, or `check=subject`. */
interface Acceptance {
  readonly check: string;
  /** Undefined: whatever the check looked at. */
  readonly subject?: string;
}

/** Subjects may have `=` in them, checks have none. */
function acceptanceIn(text: string): Acceptance {
  const at = text.indexOf("=");
  return at < 0 ? { check: text } : { check: text.slice(0, at), subject: text.slice(at + 1) };
}

/** A finding, and whether somebody said to live with it. */
export interface Judged extends Finding {
  readonly accepted?: true;
}

/** A subject is copied as it is printed, too. How many are left out is no subject. */
const fits = ({ check, subject }: Acceptance, finding: Finding): boolean => {
  if (check !== finding.check) return false;
  if (subject === undefined) return true;
  const isNamed = subject === finding.subject || subject === visible(finding.subject);
  return isNamed && finding.leftOut === undefined;
};

/** An acceptance that accepted nothing. */
export interface Idle {
  readonly text: string;
  /** The worst of what it names. Undefined if it names nothing that was found. */
  readonly verdict?: Verdict;
}

/**
 * Mark the warnings that are accepted. What is broken, or could not be looked at, never is.
 *
 * @param texts `check`, or `check=subject`.
 */
export function accept(
  findings: readonly Finding[],
  texts: readonly string[],
): { readonly findings: readonly Judged[]; readonly idle: readonly Idle[] } {
  const acceptances = texts.map((text) => ({ text, ...acceptanceIn(text) }));
  const isAccepted = (each: Finding): boolean =>
    each.verdict === "warning" && acceptances.some((one) => fits(one, each));
  return {
    findings: findings.map((each) => (isAccepted(each) ? { ...each, accepted: true } : each)),
    idle: acceptances.flatMap(({ text, ...acceptance }): readonly Idle[] => {
      const named = findings.filter((each) => fits(acceptance, each));
      if (named.some(({ verdict }) => verdict === "warning")) return [];
      return [named.length === 0 ? { text } : { text, verdict: worstOf(named) }];
    }),
  };
}

/** The verdict that counts: what is accepted is as good as ok. */
export const worstJudged = (findings: readonly Judged[]): Verdict =>
  worstOf(findings.map(({ accepted, ...each }) => (accepted ? { ...each, verdict: "ok" } : each)));
