/** Tells the story: finished steps on stdout, what is going on meanwhile on stderr. */
export interface Narrator {
  /** What is going on for a while. */
  phase(text: string): void;
  /** What is going on just now: on a terminal only, overwritten by the next line. */
  progress(text: string): void;
  /** A finished step: a word, what happened, how long it took. Unit: milliseconds. */
  step(word: string, text: string, milliseconds?: number): void;
  /** More about the last step. */
  detail(text: string): void;
  title(text: string): void;
}

interface Streams {
  readonly out: Pick<NodeJS.WriteStream, "write" | "isTTY">;
  readonly err: Pick<NodeJS.WriteStream, "write" | "isTTY">;
}

const WORD = 9;
const TEXT = 78;

export function narrator({ out, err }: Streams): Narrator {
  const clear = err.isTTY ? "\r\x1b[K" : "";
  const bold = (text: string): string => (out.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
  const dim = (text: string): string => (out.isTTY ? `\x1b[2m${text}\x1b[0m` : text);
  const line = (text: string): void => {
    err.write(clear);
    out.write(`${text}\n`);
  };
  return {
    phase: (text) => {
      err.write(err.isTTY ? `${clear}  … ${text}` : `… ${text}\n`);
    },
    progress: (text) => {
      if (err.isTTY) err.write(`${clear}  … ${text}`);
    },
    step: (word, text, milliseconds) => {
      const took = milliseconds === undefined ? "" : dim(`${Math.round(milliseconds)} ms`);
      line(`  ${bold(word.padEnd(WORD))}${text.padEnd(took === "" ? 0 : TEXT)}${took}`);
    },
    detail: (text) => line(`  ${" ".repeat(WORD)}${dim(text)}`),
    title: (text) => line(`\n${bold(text)}\n`),
  };
}
