import { type Idle, type Judged, worstJudged } from "../../core/doctor/accepted.ts";
import { type Finding, type Fix, VERDICTS, type Verdict } from "../../core/doctor/finding.ts";
import { visible, visibleLines } from "../../core/visible.ts";
import { Exit } from "../terminal/exit.ts";
import { count } from "../terminal/table.ts";

/** The exit status of a verdict. */
export const STATUS_OF: Readonly<Record<Verdict, Exit>> = {
  ok: Exit.ok,
  warning: Exit.doubtful,
  unknown: Exit.tryAgain,
  broken: Exit.differs,
};

/** The worst first; else as the areas and their checks stand. */
export const byVerdict = (findings: readonly Judged[]): readonly Judged[] =>
  VERDICTS.toReversed().flatMap((verdict) => findings.filter((each) => each.verdict === verdict));

/**
 * Findings for people: what is wrong with its remedy, then what is accepted, then the names of what
 * is fine.
 */
export function findingsText(findings: readonly Judged[]): string {
  const sorted = byVerdict(findings);
  const isWrong = ({ verdict, accepted }: Judged): boolean => verdict !== "ok" && !accepted;
  return [...sorted.filter(isWrong).map(findingText), acceptedText(sorted), fineText(sorted)]
    .filter((each) => each !== "")
    .join("\n\n");
}

const acceptedText = (findings: readonly Judged[]): string =>
  findings
    .filter(({ accepted }) => accepted)
    .map(({ area, check, subject }) => `accepted  ${area} ${check}: ${visible(subject)}`)
    .join("\n");

/** What to do with an acceptance that is not needed, or not possible. */
export const idleText = ({ text, verdict }: Idle): string =>
  verdict === "broken" || verdict === "unknown"
    ? `--accept ${text}: it is ${verdict}, and only a warning can be accepted; do what the finding says`
    : `--accept ${text}: there is no such warning; remove it, or write check=subject as they are printed`;

function findingText({ verdict, area, check, subject, evidence, fix }: Finding): string {
  const lines = [
    `${verdict.toUpperCase()}  ${area} ${check}: ${visible(subject)}`,
    `  ${visible(evidence)}`,
    ...(fix === undefined ? [] : fixLines(fix)),
  ];
  return lines.join("\n");
}

function fixLines(fix: Fix): readonly string[] {
  if (fix.kind === "step") return [`  to mend it: ${visible(fix.text)}`];
  const { database, as, statements } = fix;
  return [
    `  to mend it, in database ${visible(database)} as ${visible(as)}:`,
    ...statements.flatMap(indentedTwice),
  ];
}

const indentedTwice = (text: string): readonly string[] =>
  visibleLines(text)
    .split("\n")
    .map((line) => `    ${line}`);

function fineText(findings: readonly Finding[]): string {
  const fine = findings.filter(({ verdict }) => verdict === "ok");
  const areas = Map.groupBy(fine, ({ area }) => area);
  return [...areas]
    .map(
      ([area, each]) => `ok  ${area}: ${[...new Set(each.map(({ check }) => check))].join(", ")}`,
    )
    .join("\n");
}

/** How many of each verdict, in a line. */
export function summaryOf(findings: readonly Judged[]): string {
  const wordOf = ({ verdict, accepted }: Judged): string => (accepted ? "accepted" : verdict);
  const counts = ["broken", "unknown", "warning", "accepted", "ok"]
    .map((word) => [word, findings.filter((each) => wordOf(each) === word).length] as const)
    .filter(([, number]) => number > 0)
    .map(([word, number]) => `${number} ${word}`);
  return `${count(findings.length, "finding")}: ${counts.join(", ") || "nothing was looked at"}`;
}

export const statusOfFindings = (findings: readonly Judged[]): Exit =>
  STATUS_OF[worstJudged(findings)];
