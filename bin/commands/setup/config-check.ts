import type { Command } from "commander";
import type { ParsedConfig } from "../../../config/config.ts";
import { ConfigError } from "../../../core/errors.ts";
import { configPath, loadConfig } from "../../load-config.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, print } from "../../terminal/io.ts";
import { count } from "../../terminal/table.ts";

/** `mayfly config check`: every problem of a configuration, without the CDK. */
export function addConfig(program: Command, io: Io): void {
  program
    .command("config")
    .description("about the configuration")
    .command("check")
    .description("report every problem of a configuration, without an AWS account")
    .argument("[file]", "default: MAYFLY_CONFIG, or mayfly.config.ts of this folder")
    .option("--json", "the answer as one JSON document")
    .action(async (named: string | undefined, { json }: { readonly json?: boolean }) => {
      const file = configPath(named ?? process.env.MAYFLY_CONFIG);
      try {
        const config = await loadConfig(file);
        print(io, json, { file, problems: [] }, `${file}: ${summary(config)}, no problem`);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        const problems = error.message.split("\n").filter((line) => line !== file);
        print(io, json, { file, problems }, "");
        throw new Failure(Exit.config, error.message);
      }
    });
}

function summary({ databases, consumers }: ParsedConfig): string {
  const all = Object.values(databases);
  const roles = all.reduce((sum, each) => sum + Object.keys(each.roles).length, 0);
  const excepted = all
    .flatMap((each) => Object.values(each.roles))
    .reduce((sum, { privileges }) => sum + (privileges.except?.length ?? 0), 0);
  const secrets = all.reduce((sum, each) => sum + Object.keys(each.secrets).length, 0);
  const grants = Object.values(consumers).reduce((sum, each) => sum + each.grants.length, 0);
  return [
    count(all.length, "database"),
    count(roles, "dynamic role"),
    ...(excepted > 0 ? [count(excepted, "exception")] : []),
    count(secrets, "rotated secret"),
    count(Object.keys(consumers).length, "consumer"),
    count(grants, "grant"),
  ].join(", ");
}
