import type { Command } from "commander";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";
import {
  declaredStatements,
  installationStatements,
} from "../../../lambda/postgres/leases/installation.ts";
import { issuerLoginsOf, shardsOf } from "../../../lambda/postgres/provisioning/wanted-roles.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type Io, say } from "../../terminal/io.ts";
import { type PlanOptions, plannedIn } from "./planned.ts";

interface VerbsOptions extends PlanOptions {
  readonly server: string;
}

/** `mayfly verbs`: the functions that the provisioner installs, for a DBA to read. */
export function addVerbs(program: Command, io: Io): void {
  program
    .command("verbs")
    .description("print the SQL functions that a deployment installs; connects to nothing")
    .option("--server <number>", "the server's server_version_num", "180000")
    .option("--database <name>", "the database of the configuration, when it has several")
    .option("--config <file>", "default: MAYFLY_CONFIG, or mayfly.config.ts of this folder")
    .option("--stack <name>", "the stack's name, which a derived tag depends on", "Mayfly")
    .action(async (options: VerbsOptions) => {
      const server = serverIn(options.server);
      const plan = await plannedIn(options);
      io.out.write(verbsScript(plan, server));
      say(
        io,
        `for the database ${plan.database} of stack ${options.stack}, tag ${plan.tag}; a deployment runs it in the database ${plan.maintenanceDatabase}`,
      );
    });
}

function serverIn(text: string): number {
  if (/^1[4-9]\d{4}$/.test(text)) return Number(text);
  throw new Failure(
    Exit.usage,
    `--server: ${JSON.stringify(text)} is not a server_version_num of PostgreSQL 14 or later; SHOW server_version_num prints it, e.g. 160004`,
  );
}

/** What the provisioner runs, as a psql script of two transactions. */
export function verbsScript(plan: ProvisionPlan, server: number): string {
  const { database, maintenanceDatabase, tag } = plan;
  const installation = { tag, shards: shardsOf(plan), logins: issuerLoginsOf(plan), server };
  return `${[
    `-- Mayfly: what a deployment installs for the database ${database} of the configuration, tag ${tag},`,
    `-- as the administrator, in the database "${maintenanceDatabase}". It may be run again:`,
    "--",
    `--   psql -X --dbname ${maintenanceDatabase} --file <this file>`,
    "\\set ON_ERROR_STOP on",
    "set search_path = pg_catalog, pg_temp;",
    "",
    ...transaction(declaredStatements(tag)),
    "",
    ...transaction(installationStatements(installation)),
  ].join("\n")}\n`;
}

const transaction = (statements: readonly string[]): readonly string[] => [
  "begin;",
  ...statements.map((each) => (each.endsWith(";") ? each : `${each};`)),
  "commit;",
];
