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

/** As pages say it: 25 minutes. As it must be here, where a lease lives for 90 seconds: 30 seconds. */
const LIFETIMES: readonly (readonly [RegExp, string])[] = [
  [/\b25 \* 60\b/g, "30"],
  [/\b25 \* time\.Minute\b/g, "30 * time.Second"],
  [/\bofMinutes\(25\)/g, "ofSeconds(30)"],
  [/\b1500000\b/g, "30000"],
  [/\b1500\b/g, "30"],
];

/** A file whose pool keeps connections as long as leases of 90 seconds allow. */
export const withShortLifetime = ({ name, text }: PageFile): PageFile => ({
  name,
  text: LIFETIMES.reduce((changing, [long, short]) => changing.replaceAll(long, short), text),
});

export function writeFiles(folder: string, files: readonly PageFile[]): void {
  for (const { name, text } of files) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}
