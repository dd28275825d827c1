/** How a thing is that a doctor looked at. `unknown`: it could not be looked at. */
export const VERDICTS = ["ok", "warning", "unknown", "broken"] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Where a check looks. */
export const AREAS = ["identity", "way", "database", "aws"] as const;
export type Area = (typeof AREAS)[number];

/**
 * What mends it. Statements are complete and run as printed, in this database, by the user whom
 * `as` names; a step names the setting and the value.
 */
export type Fix =
  | {
      readonly kind: "sql";
      readonly database: string;
      readonly as: string;
      readonly statements: readonly string[];
    }
  | { readonly kind: "step"; readonly text: string };

/** What one check found about one subject. It holds no secret. */
export interface Finding {
  readonly area: Area;
  /** The check's name, as in docs/doctor.md: e.g. `trust-subject`. */
  readonly check: string;
  /** What was looked at: a role, a database, a queue. */
  readonly subject: string;
  readonly verdict: Verdict;
  /** What was seen, with its values. */
  readonly evidence: string;
  /** Undefined for what is fine. */
  readonly fix?: Fix;
  /** It stands for this many findings, which the answer has no room for. */
  readonly leftOut?: number;
}

/** The worst of several verdicts. Without any: `unknown`, since nothing was looked at. */
export const worstOf = (findings: readonly Finding[]): Verdict =>
  VERDICTS.toReversed().find((verdict) => findings.some((each) => each.verdict === verdict)) ??
  "unknown";
