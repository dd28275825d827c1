import type { Leftover } from "./cleanup.ts";
import type { Result } from "./run-checks.ts";

/** The header of a report. */
export interface ReportFacts {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly region: string;
  readonly isAws: boolean;
  /** `deployed by this run`, or `given`. */
  readonly stack: string;
  readonly node: string;
}

/** `11 as documented, 0 differ, 20 skipped`. */
export function tally(results: readonly Result[]): string {
  const number = (verdict: Result["verdict"]): number =>
    results.filter((each) => each.verdict === verdict).length;
  return `${number("as documented")} as documented, ${number("differs")} differ, ${number("skipped")} skipped`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

const row = (cells: readonly string[]): string => `| ${cells.map(cell).join(" | ")} |`;

/**
 * A report in Markdown, to paste into an issue. Its texts must be masked already.
 *
 * @param leftovers what this run could not remove, masked.
 */
export function reportOf(
  results: readonly Result[],
  leftovers: readonly Leftover[],
  { at, region, isAws, stack, node }: ReportFacts,
): string {
  const made = results.filter(({ verdict }) => verdict !== "skipped");
  const skipped = results.filter(({ verdict }) => verdict === "skipped");
  const lines = [
    "## mayfly verify",
    "",
    `${tally(results)}. ${at}, Region ${region}, stack ${stack}, Node ${node}.`,
    ...(isAws ? [] : ["", "**Not AWS**: `AWS_ENDPOINT_URL` was set, and something else answered."]),
    "",
    row(["check", "verdict", "the documents say", "what was done", "what was seen"]),
    "| --- | --- | --- | --- | --- |",
    ...made.map(({ check, verdict, saw }) =>
      row([check.id, verdict, check.documents, check.does, saw]),
    ),
    "",
    "### Skipped",
    "",
    row(["check", "the documents say", "why"]),
    "| --- | --- | --- |",
    ...skipped.map(({ check, saw }) => row([check.id, check.documents, saw])),
    ...(leftovers.length === 0
      ? []
      : ["", "### Left behind", "", ...leftovers.map(({ what, why }) => `- ${what}: ${why}`)]),
  ];
  return `${lines.join("\n")}\n`;
}
