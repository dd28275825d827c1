import type { Command } from "commander";
import { bootstrapScript } from "../../../lambda/postgres/provisioning/bootstrap/script.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, say } from "../../terminal/io.ts";
import { type PlanOptions, plannedIn } from "./planned.ts";

interface BootstrapOptions extends PlanOptions {
  readonly admin: string;
}

/** `mayfly bootstrap`: print the SQL for a DBA. It connects to no database. */
export function addBootstrap(program: Command, io: Io): void {
  program
    .command("bootstrap")
    .description("print the SQL with which a DBA prepares a database; connects to nothing")
    .option("--admin <name>", "the login whose secret the stack is given", "mayfly_admin")
    .option("--database <name>", "the database of the configuration, when it has several")
    .option("--config <file>", "default: MAYFLY_CONFIG, or mayfly.config.ts of this folder")
    .option("--stack <name>", "the stack's name, which a derived tag depends on", "Mayfly")
    .action(async (options: BootstrapOptions) => {
      checkAdmin(options.admin);
      const plan = await plannedIn(options);
      io.out.write(bootstrapScript(plan, options.admin));
      say(
        io,
        `for administrator ${options.admin}, database ${plan.database}, stack ${options.stack}, tag ${plan.tag}; let a DBA read it and run it with psql`,
      );
    });
}

function checkAdmin(name: string): void {
  if (name !== "" && Buffer.byteLength(name) <= 63 && !/^(?:mf|pg)_/.test(name)) return;
  throw new Failure(
    Exit.usage,
    `--admin: ${JSON.stringify(name)} cannot be an administrator's login; use 1 to 63 bytes that do not begin with "mf_" or "pg_"`,
  );
}
