import type { FileConfiguration } from "../configuration.ts";
import { FileError } from "./file-error.ts";
import { type AuthoritiesOf, FORMATS, type NamedLogin } from "./formats/formats.ts";

/**
 * Makes a file's content, of logins in the order of its `from`.
 *
 * @throws FileError if a value cannot stand in such a file
 */
export type RenderContent = (logins: readonly NamedLogin[], authoritiesOf: AuthoritiesOf) => string;

/** What a file is made of and how, as far as it can be wrong before there is a login. */
export type ContentToCheck = Pick<FileConfiguration, "content" | "from" | "mode">;

/**
 * Prepare a file's content. A template is parsed and tried, so that mistakes are found before any
 * lease is taken.
 *
 * @throws FileError that names the template, the line and the remedy
 */
export async function compileContent(file: ContentToCheck): Promise<RenderContent> {
  const { content, mode } = file;
  const names = [file.from].flat();
  if (content.kind === "template") {
    const { compileTemplate } = await import("./template.ts");
    return compileTemplate(content, names);
  }
  const { format } = content;
  const { render, holdsSeveral, isPrivate } = FORMATS[format];
  if (names.length > 1 && !holdsSeveral)
    throw new FileError(
      `a file of format ${format} holds one login, not ${names.length}; write one file each, or a template`,
    );
  if (isPrivate && (mode & 0o077) !== 0)
    throw new FileError(
      `libpq does not read a ${format} file that others may read (mode 0${mode.toString(8)}); its mode must be 0600`,
    );
  return (logins, authoritiesOf) => logins.map((login) => render(login, authoritiesOf)).join("");
}
