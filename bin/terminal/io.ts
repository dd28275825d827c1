import { createInterface } from "node:readline/promises";
import { visibleLines } from "../../core/visible.ts";

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** The streams of a command. Data goes to `out`, messages go to `err`. */
export interface Io {
  readonly in: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly out: Output;
  readonly err: Output;
}

/** Print a message for the user: one line, or several. */
export const say = (io: Io, words: string): void => void io.err.write(`${visibleLines(words)}\n`);

/** Print the answer: as one JSON document with `--json`, else as text. */
export function print(io: Io, asJson: boolean | undefined, document: unknown, text: string): void {
  const shown = asJson === true ? JSON.stringify(document, null, 2) : text;
  if (shown !== "") io.out.write(`${visibleLines(shown)}\n`);
}

/** Ask a question. True only for the answer `yes`; the end of the input or an abort means no. */
export async function confirm(io: Io, question: string, signal?: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: io.in, ...(signal !== undefined && { signal }) });
  io.err.write(`${question} Type yes to go on: `);
  try {
    for await (const line of lines) return line.trim().toLowerCase() === "yes";
    io.err.write("\n");
    return false;
  } finally {
    lines.close();
  }
}
