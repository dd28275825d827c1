import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Older compilers resolve imports in declarations only with these endings. */
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
