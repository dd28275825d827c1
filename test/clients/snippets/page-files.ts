import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { blocksOf } from "../../support/pages.ts";

/** A file that a page shows: the whole of it, or as a diff. */
export interface PageFile {
  readonly name: string;
  /** For a diff: with its changes. */
  readonly text: string;
}

/** Languages whose blocks are programs. */
const COMMENTS: Readonly<Record<string, RegExp>> = {
  python: /^# (\S+\.py)\n/,
  ruby: /^# (\S+\.rb)\n/,
  java: /^\/\/ (\S+\.java)\n/,
  go: /^\/\/ (\S+\.go)\n/,
  js: /^\/\/ (\S+\.mjs)\n/,
  php: /^<\?php \/\/ (\S+\.php)\n/,
};

const changed = (diff: string): string =>
  diff
    .split("\n")
    .filter((line) => !line.startsWith("-"))
    .map((line) => line.slice(1))
    .join("\n");

/**
 * The files of a page of docs/languages. Diffs of a `Dockerfile` are none: they have no header.
 *
 * @throws Error for a program without a name.
 */
export function filesOf(page: string): readonly PageFile[] {
  return blocksOf(page).flatMap(({ language, text }) => {
    const [header, name = ""] = /^--- a\/\S+\n\+\+\+ b\/(\S+)\n/.exec(text) ?? [];
    if (language === "diff" && header !== undefined)
      return [{ name, text: changed(text.slice(header.length)) }];
    const comment = COMMENTS[language];
    if (comment === undefined) return [];
    const [, named] = comment.exec(text) ?? [];
    if (named === undefined) throw new Error(`${page}: a block of ${language} has no file's name`);
    return [{ name: named, text }];
  });
}

/** The 25 minutes of the pages, in the forms that they have there, and another time in that form. */
const LIFETIMES: readonly (readonly [RegExp, (seconds: number) => string])[] = [
  [/\b25 \* 60\b/g, String],
  [/\b25 \* time\.Minute\b/g, (seconds) => `${seconds} * time.Second`],
  [/\bofMinutes\(25\)/g, (seconds) => `ofSeconds(${seconds})`],
  [/\b1500000\b/g, (seconds) => String(1_000 * seconds)],
  [/\b1500\b/g, String],
];

/** A file whose pool keeps connections for so many seconds: where leases are shorter than usual. */
export const withLifetime = ({ name, text }: PageFile, seconds: number): PageFile => ({
  name,
  text: LIFETIMES.reduce(
    (changing, [minutes, written]) => changing.replaceAll(minutes, written(seconds)),
    text,
  ),
});

export function writeFiles(folder: string, files: readonly PageFile[]): void {
  for (const { name, text } of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
