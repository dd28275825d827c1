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
      throw new ConfigError(`${path} could not be loaded: ${faultOf(cause)}`, { cause });
    },
  );
  try {
    return parseConfig(module.default);
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${path}\n${error.message}`);
    throw error;
  }
}

/** Node begins the stack of a syntax error with a line that holds only its file and line. */
function faultOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const [first = ""] = cause.stack?.split("\n") ?? [];
  const at = /^(?:file:\/\/)?(\/.+:\d+)$/.exec(first)?.[1];
  return at === undefined ? cause.message : `${cause.message}, at ${at}`;
}
