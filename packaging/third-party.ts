import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** A package with code in Mayfly's package. */
export interface ThirdParty {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** The text of its licence file. */
  readonly text: string;
}

/** Licences that only require their text. */
export const ALLOWED_LICENCES = [
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "MIT-0",
];

const PACKAGE_FOLDER = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/**
 * The packages that the bundled files came from.
 *
 * @param inputs paths relative to `root`.
 * @throws Error that names each package whose licence is not allowed.
 */
export function thirdPartiesOf(root: string, inputs: Iterable<string>): readonly ThirdParty[] {
  const folders = new Set<string>();
  for (const path of inputs) {
    const folder = PACKAGE_FOLDER.exec(path)?.[1];
    if (folder !== undefined) folders.add(resolve(root, folder));
  }
  const found = new Map<string, ThirdParty>();
  for (const folder of folders) {
    const each = thirdPartyIn(folder);
    found.set(`${each.name}@${each.version}`, each);
  }
  const all = [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  const wrong = all.filter(({ licence }) => !ALLOWED_LICENCES.includes(licence));
  if (wrong.length > 0)
    throw new Error(
      `${wrong.map(({ name, licence }) => `${name} is under "${licence}"`).join(", ")}; the package may hold ${ALLOWED_LICENCES.join(", ")}: do without it`,
    );
  return all;
}

function thirdPartyIn(folder: string): ThirdParty {
  const { name, version, license } = JSON.parse(
    readFileSync(join(folder, "package.json"), "utf8"),
  ) as { readonly name: string; readonly version: string; readonly license?: string };
  const file = existsSync(folder)
    ? readdirSync(folder).find((each) => /^licen[cs]e(?:\.\w+)?$/i.test(each))
    : undefined;
  const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8").trim();
  return { name, version, licence: license ?? "none", text };
}

/** The file that the licences require: each text once, under its packages. */
export function noticesOf(parties: readonly ThirdParty[]): string {
  const texts = Map.groupBy(parties, ({ licence, text }) =>
    text === "" ? `(${licence}, without a text of its own)` : text,
  );
  const line = "-".repeat(80);
  const parts = [...texts].map(
    ([text, those]) =>
      `${those.map((each) => `${each.name} ${each.version} (${each.licence})`).join("\n")}\n\n${text}\n`,
  );
  return `Mayfly's package holds code of these packages, under their licences.\n\n${parts.join(`\n${line}\n\n`)}`;
}
