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
  if (text.trim() === "")
    throw new ConfigError(`--config: ${file.slice(-60)} is empty; write { "leases": { … } }`);
  try {
    return JSON.parse(text.replace(BYTE_ORDER_MARK, ""));
  } catch (error) {
    // V8's message can quote the text
    const [, at = ""] = /(at position \d+[^)]*\)?)/.exec(String(error)) ?? [];
    throw new ConfigError(
      `--config: ${file.slice(-60)} is no JSON${at && ` (${at})`}; correct it`,
      { cause: error },
    );
  }
}

/**
 * A configuration with all that can be wrong before there is a login: fields, templates, and the
 * authorities' file.
 *
 * @param what it is called in messages.
 * @throws ConfigError with every problem, one per line.
 */
export async function checkedConfiguration(
  written: unknown,
  what: string,
): Promise<AgentConfiguration> {
  try {
    const configuration = parseConfiguration(written, {
      environment: process.env,
      readTemplate: (path) => readFileSync(path, "utf8"),
    });
    const problems = await problemsOf(configuration);
    if (problems.length === 0) return configuration;
    throw new ConfigError(problems.join("\n"));
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
