import { readFileSync } from "node:fs";
import type {
  FileConfiguration,
  FileContent,
  FileFormat,
} from "../../client/agent/configuration.ts";
import { FORMATS } from "../../client/agent/files/formats/formats.ts";
import { Exit, Failure } from "../terminal/exit.ts";

/** Files as a command line names them; each option may be repeated. */
export interface FileOptions {
  /** `<format>:<path>` */
  readonly file: readonly string[];
  /** `<source>:<path>` */
  readonly template: readonly string[];
}

const MODE = 0o600;

/**
 * The files that options name, of one login. Templates are read.
 *
 * @throws Failure with the option, the value and the remedy
 */
export function filesIn(
  { file, template }: FileOptions,
  from: string,
): readonly FileConfiguration[] {
  const files = [
    ...file.map((text) => fileOf("--file", text, from, formatContent)),
    ...template.map((text) => fileOf("--template", text, from, templateContent)),
  ];
  const paths = files.map(({ path }) => path);
  const twice = paths.find((path, at) => paths.indexOf(path) !== at);
  if (twice === undefined) return files;
  throw new Failure(
    Exit.usage,
    `${twice.slice(-60)} is to be written twice; give each its own path`,
  );
}

function fileOf(
  option: string,
  text: string,
  from: string,
  contentOf: (before: string) => FileContent | undefined,
): FileConfiguration {
  const at = text.indexOf(":");
  const path = text.slice(at + 1);
  const content = at > 0 && path !== "" ? contentOf(text.slice(0, at)) : undefined;
  if (content !== undefined)
    return { path, from, content, mode: MODE, owner: undefined, onChange: undefined };
  const remedy =
    option === "--file"
      ? `give <format>:<path>, a format of ${Object.keys(FORMATS).join(", ")}`
      : "give <template>:<path>";
  throw new Failure(
    Exit.usage,
    `${option}: ${JSON.stringify(text.slice(0, 40))} is no file; ${remedy}`,
  );
}

const formatContent = (format: string): FileContent | undefined =>
  Object.hasOwn(FORMATS, format) ? { kind: "format", format: format as FileFormat } : undefined;

function templateContent(source: string): FileContent {
  try {
    return { kind: "template", text: readFileSync(source, "utf8"), source };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Failure(
      Exit.config,
      `--template: cannot read ${source.slice(-60)} (${code}); name a file with a template in it`,
      { cause: error },
    );
  }
}
