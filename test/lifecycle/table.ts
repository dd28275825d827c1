/** One line of the story's table. */
export interface Row {
  readonly step: string;
  readonly asked: string;
  readonly seen: readonly string[];
  readonly seconds: number;
}

const WIDTHS = [20, 30, 62, 7] as const;
const HEADER = ["step", "asked", "seen", "time"];

const rule = WIDTHS.map((width) => "-".repeat(width)).join("  ");

/** The lines of a text that is no wider than this. */
function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "  ";
    }
    line += line.trim() === "" ? word : ` ${word}`;
  }
  return [...lines, line];
}

function laidOut(cells: readonly (readonly string[])[]): string {
  const wrappedCells = cells.map((lines, column) =>
    lines.flatMap((line) => wrapped(line, WIDTHS[column] ?? 0)),
  );
  const height = Math.max(...wrappedCells.map(({ length }) => length));
  return Array.from({ length: height }, (_, index) =>
    wrappedCells
      .map((lines, column) => (lines[index] ?? "").padEnd(WIDTHS[column] ?? 0))
      .join("  ")
      .trimEnd(),
  ).join("\n");
}

export const header = (): string => `${laidOut(HEADER.map((title) => [title]))}\n${rule}`;

/** A row as text, with a line below it. */
export const rendered = ({ step, asked, seen, seconds }: Row): string =>
  `${laidOut([[step], [asked], seen, [`${seconds.toFixed(1).padStart(5)} s`]])}\n${rule}`;
