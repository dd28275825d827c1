import {
  type Finding,
  type Fix,
  VERDICTS,
  type Verdict,
  worstOf,
} from "../../core/doctor/finding.ts";
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
export const byVerdict = (findings: readonly Finding[]): readonly Finding[] =>
  VERDICTS.toReversed().flatMap((verdict) => findings.filter((each) => each.verdict === verdict));

/** Findings for people: what is wrong with its remedy, then the names of what is fine. */
export function findingsText(findings: readonly Finding[]): string {
  const sorted = byVerdict(findings);
  const wrong = sorted.filter(({ verdict }) => verdict !== "ok").map(findingText);
  return [...wrong, fineText(sorted)].filter((each) => each !== "").join("\n\n");
}

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
export function summaryOf(findings: readonly Finding[]): string {
  const counts = VERDICTS.toReversed()
    .map(
      (verdict) => [verdict, findings.filter((each) => each.verdict === verdict).length] as const,
    )
    .filter(([, number]) => number > 0)
    .map(([verdict, number]) => `${number} ${verdict}`);
  return `${count(findings.length, "finding")}: ${counts.join(", ") || "nothing was looked at"}`;
}

export const statusOfFindings = (findings: readonly Finding[]): Exit =>
  STATUS_OF[worstOf(findings)];
