import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/**
 * The file that a shell would run for a name: the name itself if it has a slash, else the first
 * executable file in the folders of PATH. Undefined if there is none.
 */
export function findProgram(name: string, path: string | undefined): string | undefined {
  if (name.includes("/")) return isProgram(name) ? name : undefined;
  return (path ?? "")
    .split(delimiter)
    .map((folder) => join(folder === "" ? "." : folder, name))
    .find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
