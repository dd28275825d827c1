/** Rows under a header, in columns that are as wide as they must be, two spaces apart. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [header, ...rows]
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "))
    .map((line) => line.trimEnd())
    .join("\n");
}

/** What is known of one thing: a name and a value a line. What is `undefined` is left out. */
export function facts(known: Readonly<Record<string, string | number | undefined>>): string {
  const rows = Object.entries(known).filter(([, value]) => value !== undefined);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** A length of time in its two largest units. Takes milliseconds, 0 or more. */
export function span(length: number): string {
  const seconds = Math.floor(length / 1_000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = Math.max(
    0,
    parts.findIndex(([count]) => count > 0),
  );
  if (seconds < 60) return `${seconds}s`;
  const [large, small] = parts.slice(first, first + 2);
  const rest = small === undefined ? "" : ` ${String(small[0]).padStart(2, "0")}${small[1]}`;
  return `${large?.[0]}${large?.[1]}${rest}`;
}

/** An ISO 8601 time as people read it: `2026-11-21 09:00:00Z`. */
export const clock = (time: string): string => time.replace("T", " ").replace(/\.\d+Z$/, "Z");

/** `1 lease`, `2 leases`. */
export const count = (number: number, thing: string): string =>
  `${number} ${thing}${number === 1 ? "" : "s"}`;
