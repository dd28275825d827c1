import { Argument, type Command } from "commander";
import { AREAS, type Area, type Finding } from "../../core/doctor/finding.ts";
import type { Look } from "../doctor/examine.ts";
import { Exit, ExitStatus, Failure, wordsOf } from "../terminal/exit.ts";
import { type Io, print, say } from "../terminal/io.ts";

interface Options {
  readonly from: readonly string[];
  readonly role?: string;
  readonly consumer?: string;
  readonly caller?: string;
  readonly error?: string;
  readonly stack: string;
  readonly database?: string;
  readonly function?: string;
  readonly json?: boolean;
}

const append = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** `mayfly doctor`: what is broken, by what that shows, and what mends it. */
export function addDoctor(program: Command, io: Io): void {
  program
    .command("doctor")
    .description("say what is broken about identity, network, database and AWS, and what mends it")
    .addArgument(
      new Argument("[area...]", "what to look at (default: all that can be looked at)").choices(
        AREAS,
      ),
    )
    .option("--from <file>", "what kubectl or aws printed, -: stdin; repeat", append, [])
    .option("--role <arn>", "the role that the workload should have")
    .option("--consumer <name>", "the consumer that the workload should be: the stack has its role")
    .option("--caller <arn>", "as whom the application calls, from its log or CloudTrail")
    .option("--error <text>", "the application's own error")
    .option("--stack <name>", "the stack whose outputs name the functions", "Mayfly")
    .option("--database <name>", "the database of the configuration, when the stack has several")
    .option("--function <arn>", "the operator function; the stack is not read")
    .option("--json", "the findings as one JSON document")
    .action((areas: readonly Area[], options: Options) => runDoctor(io, areas, options));
}

async function runDoctor(io: Io, areas: readonly Area[], options: Options): Promise<void> {
  const { examine } = await import("../doctor/examine.ts");
  const { byVerdict, findingsText, statusOfFindings, summaryOf } = await import(
    "../doctor/findings-text.ts"
  );
  const { findings, skipped } = await examine(await looksOf(io, options), areas);
  const sorted = byVerdict(findings);
  print(io, options.json, { findings: sorted }, findingsText(sorted));
  for (const { area, error } of skipped) say(io, `not looked at: ${area}: ${wordsOf(error)}`);
  say(io, summaryOf(findings));
  const status = statusOfFindings(findings);
  if (status !== Exit.ok) throw new ExitStatus(status);
}

async function looksOf(io: Io, options: Options): Promise<Readonly<Partial<Record<Area, Look>>>> {
  const { readEvidence } = await import("../doctor/evidence/read-evidence.ts");
  const { systemPorts } = await import("../doctor/system-ports.ts");
  const { isElsewhere } = await import("../doctor/identity/gather-identity.ts");
  const evidence = await readEvidence(await textsOf(io, options.from));
  if (isElsewhere(systemPorts.env, evidence))
    say(io, "the files describe the workload: this machine's own credentials are not looked at");
  const operator = operatorFindings(options);
  return {
    identity: async () => {
      const { gatherIdentity } = await import("../doctor/identity/gather-identity.ts");
      const { lookAtIdentity } = await import("../../core/doctor/identity/look-at-identity.ts");
      const facts = await gatherIdentity(systemPorts, evidence, {
        expected: await expectedIn(options),
        applicationCaller: options.caller,
        applicationError: options.error,
      });
      return lookAtIdentity(facts);
    },
    database: () => operator("database"),
    aws: () => operator("aws"),
  };
}

/** What the operator function finds, which is asked once. */
function operatorFindings(options: Options): (area: Area) => Promise<readonly Finding[]> {
  let asked: Promise<readonly Finding[]> | undefined;
  const ask = async (): Promise<readonly Finding[]> => {
    const { findOperator, operatorAt } = await import("./find.ts");
    const { findings } = (await operatorAt(await findOperator(options))({
      action: "doctor",
    })) as { readonly findings: readonly Finding[] };
    return findings;
  };
  return async (area) => {
    asked ??= ask();
    return (await asked).filter((each) => each.area === area);
  };
}

async function expectedIn({ role, consumer, ...options }: Options) {
  if (role !== undefined) return { arn: role, from: "--role" };
  if (consumer === undefined) return undefined;
  const { readOutputs, roleArnIn } = await import("./find.ts");
  const arn = roleArnIn(await readOutputs(options), consumer);
  if (arn !== undefined) return { arn, from: `the stack ${options.stack}` };
  throw new Failure(
    Exit.unavailable,
    `stack ${options.stack} made no role for ${consumer}; check the name, or pass the role itself with --role <arn>`,
  );
}

async function textsOf(io: Io, files: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { readFile } = await import("node:fs/promises");
  const texts = new Map<string, string>();
  for (const file of files) {
    try {
      texts.set(file, file === "-" ? await textOf(io.in) : await readFile(file, "utf8"));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new Failure(Exit.usage, `--from: cannot read ${file} (${code}); name a file`, {
        cause: error,
      });
    }
  }
  return texts;
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: string[] = [];
  for await (const chunk of stream) chunks.push(String(chunk));
  return chunks.join("");
}
