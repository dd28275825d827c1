import type { Command } from "commander";
import type { ParsedConfig } from "../../core/config/parsed.ts";
import { declaredIn, planOf } from "../../core/declared.ts";
import { addressOf, tagOf } from "../../core/names.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { bootstrapScript } from "../../lambda/postgres/provisioning/bootstrap/script.ts";
import { configPath, loadConfig } from "../load-config.ts";
import { Exit, Failure } from "./exit.ts";
import { type Io, say } from "./io.ts";

interface BootstrapOptions {
  readonly print?: boolean;
  readonly admin: string;
  readonly database?: string;
  readonly config?: string;
  readonly stack: string;
}

/** `mayfly bootstrap --print`: the SQL for a DBA; nobody is connected to. */
export function addBootstrap(program: Command, io: Io): void {
  program
    .command("bootstrap")
    .description("print the SQL with which a DBA prepares a database; nobody is connected to")
    .option("--print", "print it; there is nothing else that this command does")
    .requiredOption("--admin <name>", "the login whose secret the stack is given")
    .option("--database <name>", "the database of the configuration, when it has several")
    .option("--config <file>", "default: MAYFLY_CONFIG, or mayfly.config.ts of this project")
    .option("--stack <name>", "the stack's name, which a derived tag depends on", "Mayfly")
    .action(async (options: BootstrapOptions) => {
      if (options.print !== true)
        throw new Failure(
          Exit.usage,
          "bootstrap connects to no database, it only prints; say --print, and have a DBA run what it prints",
        );
      checkAdmin(options.admin);
      const config = await loadConfig(configPath(options.config ?? process.env.MAYFLY_CONFIG));
      const plan = planIn(config, options);
      io.out.write(bootstrapScript(plan, options.admin));
      say(
        io,
        `for the database ${plan.database} of stack ${options.stack}, tag ${plan.tag}; have a DBA read it, and run it with psql`,
      );
    });
}

function checkAdmin(name: string): void {
  if (name !== "" && Buffer.byteLength(name) <= 63 && !/^(?:mf|pg)_/.test(name)) return;
  throw new Failure(
    Exit.usage,
    `--admin: ${JSON.stringify(name)} is not an administrator's login; name one of 1 to 63 bytes, no "mf_" or "pg_" in front`,
  );
}

/** What the stack of that name would send its provisioner. */
function planIn(
  config: ParsedConfig,
  { database, stack }: Pick<BootstrapOptions, "database" | "stack">,
): ProvisionPlan {
  const names = Object.keys(config.databases);
  const [only] = names;
  if (database === undefined && names.length > 1)
    throw new Failure(
      Exit.usage,
      `the configuration has the databases ${names.join(", ")}; name one with --database`,
    );
  const name = database ?? only ?? "";
  // where lib/mayfly-stack.ts puts the construct: under the stack, by its name
  const tag = config.databases[name]?.tag ?? tagOf(addressOf(stack, `${stack}/${name}`));
  const declared = declaredIn(config, name, tag);
  if (declared !== undefined) return planOf(declared);
  throw new Failure(
    Exit.usage,
    `the configuration has no database ${name}; it has ${names.join(", ")}`,
  );
}
