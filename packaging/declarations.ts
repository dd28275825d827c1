import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Declarations name each other as compilers older than ours look them up too. */
export function withoutSourceNames(folder: string): void {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const name of names.filter((each) => each.endsWith(".d.ts"))) {
    const path = join(folder, name);
    const text = readFileSync(path, "utf8");
    const renamed = text.replaceAll(
      /((?:\bfrom |\bimport\())"(\.[^"]+)\.ts"/g,
      (_, before: string, specifier: string) => `${before}"${specifier}.js"`,
    );
    if (renamed !== text) writeFileSync(path, renamed);
  }
}

const COMMENT = /^[ \t]*\/\*\*[\s\S]*?\*\/\n/gm;

/**
 * All that a user's compiler reads of a package: the declarations of its entries and of what those
 * name, without comments.
 *
 * @param entries paths of declarations, relative to the folder.
 */
export function apiReport(folder: string, entries: readonly string[]): string {
  const texts = new Map<string, string>();
  const read = (path: string): void => {
    if (texts.has(path)) return;
    const text = readFileSync(join(folder, path), "utf8").replaceAll(COMMENT, "");
    texts.set(path, text);
    for (const [, specifier = ""] of text.matchAll(/(?:\bfrom |\bimport\()"(\.[^"]+)\.js"/g))
      read(`${join(dirname(path), specifier)}.d.ts`);
  };
  for (const entry of entries) read(entry);
  const others = [...texts.keys()].filter((path) => !entries.includes(path)).sort();
  return [...entries, ...others].map((path) => `// ${path}\n${texts.get(path)}`).join("\n");
}
