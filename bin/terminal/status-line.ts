import { type Io, say } from "./io.ts";

/** Back to the line's beginning, and clear it. */
const CLEAR = "\r\u001b[K";

/** The last line of a terminal, which is written again and again, below messages. */
export class StatusLine {
  readonly #io: Io;
  #shown = "";

  /** Without a terminal on stderr, only messages are written. */
  constructor(io: Io) {
    this.#io = io;
  }

  /** Replace the line. */
  show(words: string): void {
    if (this.#io.err.isTTY !== true || words === this.#shown) return;
    this.#io.err.write(`${CLEAR}${words}`);
    this.#shown = words;
  }

  /** Print a message above it. */
  say(words: string): void {
    const shown = this.#shown;
    this.clear();
    say(this.#io, words);
    this.show(shown);
  }

  clear(): void {
    if (this.#shown !== "") this.#io.err.write(CLEAR);
    this.#shown = "";
  }
}
