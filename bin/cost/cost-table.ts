import { table } from "../terminal/table.ts";
import { centsOf, type MonthlyCost } from "./monthly-cost.ts";
import { SOURCES } from "./prices.ts";

const dollars = (cents: number): string => `$${(cents / 100).toFixed(2)}`;

/** Prices of less than a cent's precision keep their third digit: `$0.115`. */
const priceTag = (each: number): string =>
  `$${each.toFixed(Math.round(each * 1_000) % 10 === 0 ? 2 : 3)}`;

const indented = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join("\n");

/** Align numbers to the right, so that cents stand under cents. */
function aligned(rows: readonly (readonly string[])[]): string[][] {
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row.map((cell, column) => (column === 0 ? cell : cell.padStart(widths[column] ?? 0))),
  );
}

/** The cost a month, as a table for people: each piece, the sum, and what the sum leaves out. */
export function costTable({ pieces, byUse, unpriced }: MonthlyCost): string {
  const total = pieces.reduce((sum, piece) => sum + centsOf(piece), 0);
  const rows = pieces.map((piece) => [
    piece.name,
    String(piece.quantity),
    priceTag(piece.each),
    dollars(centsOf(piece)),
  ]);
  const header = ["what the template holds", "number", "each", "a month"];
  const [titles = [], ...cells] = aligned([header, ...rows, ["in all", "", "", dollars(total)]]);
  const parts = [
    table(titles, cells),
    `This stack costs about ${Math.round(total / 100)} dollars a month. Its use costs extra:`,
    indented(byUse),
  ];
  if (unpriced.size > 0)
    parts.push(
      "Not priced here:",
      indented([...unpriced].map(([type, number]) => `${number} × ${type}`)),
    );
  return [...parts, "", ...SOURCES].join("\n");
}
