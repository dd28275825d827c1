import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type ParsedConfig, parseConfig } from "../config/config.ts";
import { ConfigError } from "../core/errors.ts";

/** The configuration's absolute path: `mayfly.config.ts` of this folder, unless the user names another. */
export const configPath = (named = "mayfly.config.ts"): string => resolve(named);

/**
 * The configuration that a file exports, checked.
 *
 * @throws ConfigError that names the file, if it does not exist, cannot be loaded or is wrong.
 */
export async function loadConfig(path: string): Promise<ParsedConfig> {
  if (!existsSync(path))
    throw new ConfigError(`${path} does not exist; write it, or give the path of another`);
  const module: { readonly default?: unknown } = await import(pathToFileURL(path).href).catch(
    (cause: unknown) => {
      const fault = `${path} could not be loaded: ${faultOf(cause)}`;
      throw new ConfigError(isWithoutPackage(cause) ? `${fault}; ${INSTALL}` : fault, { cause });
    },
  );
  try {
    return parseConfig(module.default);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}\n${error.message}`);
    throw error;
  }
}

/** Of a configuration outside a clone, in a folder where Mayfly's package is not installed. */
const INSTALL =
  "install the package there, by npm i and the file that npm pack makes of it, or export a plain object without this import (import type is possible)";

/** Whether it imports Mayfly's package, e.g. for `defineConfig`, and cannot. */
const isWithoutPackage = (cause: unknown): boolean =>
  cause instanceof Error &&
  (cause as NodeJS.ErrnoException).code === "ERR_MODULE_NOT_FOUND" &&
  cause.message.startsWith("Cannot find package 'mayfly'");

/** Node begins the stack of a syntax error with a line that holds only its file and line. */
function faultOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const [first = ""] = cause.stack?.split("\n") ?? [];
  const at = /^(?:file:\/\/)?(\/.+:\d+)$/.exec(first)?.[1];
  return at === undefined ? cause.message : `${cause.message}, at ${at}`;
}
