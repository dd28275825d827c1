import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The project's root. */
export const root = join(import.meta.dirname, "../..");
/** The text of a file, by its path from the root. */
export const read = (path: string): string => readFileSync(join(root, path), "utf8");
const markdownIn = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));

/** Every page that people read. */
export const pages = [
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  ...markdownIn("docs"),
];

/** A fenced block of a page. */
export interface Block {
  readonly language: string;
  readonly text: string;
}

/** The fenced blocks of a page. */
export const blocksOf = (path: string): Block[] =>
  [...read(path).matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(([, language = "", text = ""]) => ({
    language,
    text,
  }));

/** A page without its fenced blocks. */
export const proseOf = (path: string): string => read(path).replaceAll(/^```[\s\S]*?^```$/gm, "");
