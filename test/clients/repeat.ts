import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

/*
 * Run a program of PostgreSQL's own again and again: `node repeat.ts psql|pgbench|pg_dump`. Says
 * what every client program says: `ready`, `failed <words>`, `done <statements> <users>`.
 */

interface Run {
  readonly args: readonly string[];
  /** How many statements an output tells of, and whose. */
  readonly count: (stdout: string) => { readonly statements: number; readonly user?: string };
}

const { END_FILE: end = "", PGDATABASE: _, ...withoutDatabase } = process.env;
const script = `${end}.pgbench`;

const RUNS: Readonly<Record<string, Run>> = {
  // it sends the user's name as the database's
  psql: {
    args: ["-XqAt", "-c", "select current_user", "-c", "select count(*) from orders"],
    count: (stdout) => ({ statements: 2, user: stdout.split("\n")[0] ?? "" }),
  },
  // it keeps its connections for as long as it runs
  pgbench: {
    args: ["-n", "-M", "prepared", "-c", "3", "-T", "5", "-R", "40", "-f", script],
    count: (stdout) => ({
      statements: Number(/actually processed: (\d+)/.exec(stdout)?.[1] ?? 0),
    }),
  },
  // it reads the sequences of a table too, which no role of Mayfly may
  pg_dump: { args: ["-t", "public.flyway_schema_history"], count: () => ({ statements: 1 }) },
};

const [, , program = ""] = process.argv;
const run = RUNS[program];
if (run === undefined) throw new Error(`repeat.ts runs ${Object.keys(RUNS).join(", ")}`);
if (program === "pgbench") writeFileSync(script, "select count(*) from orders where id > 0;\n");
const env = program === "psql" ? withoutDatabase : process.env;

let statements = 0;
const users = new Set<string>();
while (!existsSync(end)) {
  const { status, stdout, stderr } = spawnSync(program, run.args, { env, encoding: "utf8" });
  const counted = run.count(stdout);
  if (statements === 0 && status === 0) console.log("ready");
  if (status === 0 || program === "pgbench") statements += counted.statements;
  if (status === 0 && counted.user !== undefined) {
    if (!users.has(counted.user)) console.log(`user ${counted.user}`);
    users.add(counted.user);
  }
  if (status !== 0) console.log(`failed ${stderr.trim().replaceAll("\n", " ")}`);
  await setTimeout(500);
}
console.log(`done ${statements} ${[...users].join(",")}`);
