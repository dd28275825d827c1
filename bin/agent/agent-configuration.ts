import { readFileSync } from "node:fs";
import type { AgentConfiguration } from "../../client/agent/configuration.ts";
import { compileContent } from "../../client/agent/files/content.ts";
import { FileError } from "../../client/agent/files/file-error.ts";
import { parseConfiguration } from "../../client/agent/parse-configuration.ts";
import { ConfigError } from "../../core/errors.ts";
import { readAuthorities } from "../proxy/authorities.ts";
import { Failure } from "../terminal/exit.ts";

/** Windows editors put it before a text; JSON has none. */
const BYTE_ORDER_MARK = /^\uFEFF/;

/** The configuration's text, for a container, which has no file. */
export const CONFIGURATION_VARIABLE = "MAYFLY_AGENT_CONFIG";

/** A configuration that is not checked yet. */
export interface Written {
  readonly value: unknown;
  /** What it is called in messages. */
  readonly what: string;
}

/**
 * What `--config` names, or else the environment's text. Undefined if there is neither.
 *
 * @throws ConfigError that names the file or the variable, if it is no JSON.
 */
export function findWritten(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Written | undefined {
  if (file !== undefined) return { value: readWritten(file), what: file };
  const text = environment[CONFIGURATION_VARIABLE] ?? "";
  if (text === "") return undefined;
  return { value: parsed(text, CONFIGURATION_VARIABLE), what: CONFIGURATION_VARIABLE };
}

/** What `agent.json` says. @throws ConfigError that names the file, if it is no JSON. */
export function readWritten(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigError(
      `--config: cannot read ${file.slice(-60)} (${(error as NodeJS.ErrnoException).code}); name a file that this user may read`,
      { cause: error },
    );
  }
  return parsed(text.replace(BYTE_ORDER_MARK, ""), `--config: ${file.slice(-60)}`);
}

/** @param what it is called in messages. */
function parsed(text: string, what: string): unknown {
  if (text.trim() === "") throw new ConfigError(`${what} is empty; write { "leases": { … } }`);
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8's message can quote the text
    const [, at = ""] = /(at position \d+[^)]*\)?)/.exec(String(error)) ?? [];
    throw new ConfigError(`${what} is no JSON${at && ` (${at})`}; correct it`, { cause: error });
  }
}

/**
 * A configuration with all that can be wrong before there is a login: fields, templates, and the
 * authorities' file.
 *
 * @throws ConfigError with every problem, one per line.
 */
export async function checkedConfiguration(written: Written): Promise<AgentConfiguration> {
  const configuration = readConfiguration(written);
  const problems = await problemsOf(configuration);
  if (problems.length === 0) return configuration;
  throw new ConfigError([written.what, ...problems].join("\n"));
}

/** A configuration whose fields are right. @throws ConfigError with every problem, one per line. */
export function readConfiguration({ value, what }: Written): AgentConfiguration {
  try {
    return parseConfiguration(value, {
      environment: process.env,
      readTemplate: (path) => readFileSync(path, "utf8"),
    });
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${what}\n${error.message}`);
    throw error;
  }
}

async function problemsOf({ files, ca }: AgentConfiguration): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const [index, file] of files.entries())
    try {
      await compileContent(file);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      problems.push(`files[${index}]: ${error.message}`);
    }
  try {
    readAuthorities(ca);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    problems.push(error.message.replace(/^--/, ""));
  }
  return problems;
}
