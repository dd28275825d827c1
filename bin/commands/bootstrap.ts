import type { Command } from "commander";
import { bootstrapScript } from "../../lambda/postgres/provisioning/bootstrap/script.ts";
import { Exit, Failure } from "./exit.ts";
import { type Io, say } from "./io.ts";
import { type PlanOptions, plannedIn } from "./planned.ts";

interface BootstrapOptions extends PlanOptions {
  readonly print?: boolean;
  readonly admin: string;
}

/** `mayfly bootstrap --print`: the SQL for a DBA; nobody is connected to. */
export function addBootstrap(program: Command, io: Io): void {
  program
    .command("bootstrap")
    .description("print the SQL with which a DBA prepares a database; nobody is connected to")
    .option("--print", "print it; there is nothing else that this command does")
    .requiredOption("--admin <name>", "the login whose secret the stack is given")
    .option("--database <name>", "the database of the configuration, when it has several")
    .option("--config <file>", "default: MAYFLY_CONFIG, or mayfly.config.ts of this folder")
    .option("--stack <name>", "the stack's name, which a derived tag depends on", "Mayfly")
    .action(async (options: BootstrapOptions) => {
      if (options.print !== true)
        throw new Failure(
          Exit.usage,
          "bootstrap connects to no database, it only prints; say --print, and have a DBA run what it prints",
        );
      checkAdmin(options.admin);
      const plan = await plannedIn(options);
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
