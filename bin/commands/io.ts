import { createInterface } from "node:readline/promises";

interface Output {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** What a command talks to. Data goes to `out`, words to `err`. */
export interface Io {
  readonly in: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly out: Output;
  readonly err: Output;
}

/** Words for the person at the keyboard: one line, or several. */
export const say = (io: Io, words: string): void => void io.err.write(`${visible(words)}\n`);

/** Names come from a database that others write to, and a terminal obeys control characters. */
const visible = (text: string): string =>
  text.replace(
    /(?!\n)\p{Cc}/gu,
    (control) => `\\u${(control.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );

/** The answer: as one JSON document when asked, else as text. */
export function print(io: Io, asJson: boolean | undefined, document: unknown, text: string): void {
  const shown = asJson === true ? JSON.stringify(document, null, 2) : text;
  if (shown !== "") io.out.write(`${visible(shown)}\n`);
}

/** Ask a question that only `yes` answers with yes. The end of the input, and an abort, are a no. */
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
