import { readFile } from "node:fs/promises";
import { Argument, type Command } from "commander";
import type { LeaseSource } from "../../client/keeper/sources/lease-source.ts";
import { AREAS, type Area, type Finding } from "../../core/doctor/finding.ts";
import type { ExpectedRole } from "../../core/doctor/identity/identity-facts.ts";
import type { Evidence } from "../doctor/evidence/read-evidence.ts";
import type { Look } from "../doctor/examine.ts";
import { Exit, ExitStatus, Failure, wordsOf } from "../terminal/exit.ts";
import { type Io, print, say } from "../terminal/io.ts";

interface Options {
  readonly from: readonly string[];
  readonly role?: string;
  readonly consumer?: string;
  readonly caller?: string;
  readonly error?: string;
  /** True: the only one of the environment. */
  readonly lease?: string | true;
  readonly assume?: boolean;
  readonly host?: string;
  readonly ca?: string;
  readonly proxy: readonly string[];
  readonly config?: string;
  readonly stack?: string;
  readonly database?: string;
  readonly function?: string;
  readonly accept: readonly string[];
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
    .option("--lease [database/role]", "log in with a lease, and revoke it")
    .option("--assume", "with --lease: assume the consumer's role, if the stack made it")
    .option("--host <host:port>", "the database, where no lease shall be issued")
    .option("--ca <file>", "PEM of the server's authorities (default: those of RDS)")
    .option("--proxy <port>", "the agent's proxy, or the folder of its socket; repeat", append, [])
    .option("--config <file>", "agent.json (default: MAYFLY_AGENT_CONFIG)")
    .option("--stack <name>", "the stack whose outputs name the functions (default: Mayfly)")
    .option("--database <name>", "the database of the configuration, when the stack has several")
    .option("--function <arn>", "the operator function; the stack is not read")
    .option(
      "--accept <check>",
      "a warning to live with: check, or check=subject; repeat",
      append,
      [],
    )
    .option("--json", "the findings as one JSON document")
    .action((areas: readonly Area[], options: Options) => runDoctor(io, areas, options));
}

async function runDoctor(io: Io, areas: readonly Area[], options: Options): Promise<void> {
  const { examine } = await import("../doctor/examine.ts");
  const { byVerdict, findingsText, idleText, statusOfFindings, summaryOf } = await import(
    "../doctor/findings-text.ts"
  );
  const { accept } = await import("../../core/doctor/accepted.ts");
  const { isElsewhere } = await import("../doctor/identity/gather-identity.ts");
  const evidence = await evidenceIn(io, options.from);
  const isOfFiles = isElsewhere(process.env, evidence);
  if (isOfFiles)
    say(io, "the files describe the workload: this machine's own credentials are not looked at");
  // the way from here is not the workload's
  const wanted = isOfFiles && areas.length === 0 ? (["identity"] as const) : areas;
  const { findings: found, skipped } = await examine(looksOf(options, evidence), wanted);
  const { findings, idle } = accept(found, options.accept);
  const sorted = byVerdict(findings);
  print(io, options.json, { findings: sorted }, findingsText(sorted));
  for (const { area, error } of skipped) say(io, `not looked at: ${area}: ${wordsOf(error)}`);
  for (const each of idle) say(io, idleText(each));
  say(io, summaryOf(findings));
  const status = statusOfFindings(findings);
  if (status !== Exit.ok) throw new ExitStatus(status);
}

async function evidenceIn(io: Io, files: readonly string[]): Promise<Evidence> {
  const { readEvidence } = await import("../doctor/evidence/read-evidence.ts");
  return readEvidence(await textsOf(io, files));
}

function looksOf(options: Options, evidence: Evidence): Readonly<Partial<Record<Area, Look>>> {
  const operator = operatorFindings(options);
  return {
    identity: async () => {
      const { gatherIdentity } = await import("../doctor/identity/gather-identity.ts");
      const { lookAtIdentity } = await import("../../core/doctor/identity/look-at-identity.ts");
      const { systemPorts } = await import("../doctor/system-ports.ts");
      const facts = await gatherIdentity(systemPorts, evidence, {
        expected: await expectedIn(options),
        applicationCaller: options.caller,
        applicationError: options.error,
      });
      return lookAtIdentity(facts);
    },
    way: async () => {
      const { wayQuestion } = await import("../doctor/way/way-question.ts");
      const { wayPorts } = await import("../doctor/way/way-system.ts");
      const { lookAtWay } = await import("../doctor/way/look-at-way.ts");
      const { readAuthorities } = await import("../proxy/authorities.ts");
      return lookAtWay(wayPorts(readAuthorities(options.ca)), {
        ...(await wayQuestion(options, process.env)),
        lease: await leaseIn(options),
      });
    },
    database: () => operator("database"),
    aws: async () => [
      ...(await operator("aws")),
      ...(options.function === undefined ? await accountFindings(options) : []),
    ],
  };
}

async function leaseIn({
  lease,
  consumer,
  assume,
  stack,
}: Options): Promise<LeaseSource | undefined> {
  if (lease === undefined) return undefined;
  const { sourceOf } = await import("./proxied/keep-wanted.ts");
  const { whichLease } = await import("./proxied/which-lease.ts");
  const named = {
    ...(consumer !== undefined && { consumer }),
    ...(assume !== undefined && { assume }),
    ...(stack !== undefined && { stack }),
  };
  return sourceOf(await whichLease(lease === true ? undefined : lease, named));
}

/** What the caller can see of the stack, and of the stacks of its databases. */
async function accountFindings(options: Options): Promise<readonly Finding[]> {
  const { lookAtAccount } = await import("../doctor/aws/look-at-account.ts");
  const { sdkAccount } = await import("../doctor/aws/sdk-account.ts");
  const { stackNamesOf } = await import("./find.ts");
  const { PATIENT } = await import("../aws/clients.ts");
  const names = await stackNamesOf({ ...options, stack: stackIn(options) });
  return lookAtAccount(sdkAccount(PATIENT, Date.now), names, Date.now());
}

/** What the operator function finds, which is asked once. */
function operatorFindings(options: Options): (area: Area) => Promise<readonly Finding[]> {
  let asked: Promise<readonly Finding[]> | undefined;
  const ask = async (): Promise<readonly Finding[]> => {
    const { findOperator, operatorAt } = await import("./find.ts");
    const operator = await findOperator({ ...options, stack: stackIn(options) });
    const { findings } = (await operatorAt(operator)({ action: "doctor" })) as {
      readonly findings: readonly Finding[];
    };
    return findings;
  };
  return async (area) => {
    asked ??= ask();
    return (await asked).filter((each) => each.area === area);
  };
}

const stackIn = ({ stack }: Options): string => stack ?? "Mayfly";

async function expectedIn({
  role,
  consumer,
  ...options
}: Options): Promise<ExpectedRole | undefined> {
  if (role !== undefined) return { arn: role, from: "--role" };
  if (consumer === undefined) return undefined;
  const { readOutputs, roleArnIn } = await import("./find.ts");
  const stack = stackIn(options);
  const arn = roleArnIn(await readOutputs({ ...options, stack }), consumer);
  if (arn !== undefined) return { arn, from: `the stack ${stack}` };
  throw new Failure(
    Exit.unavailable,
    `stack ${stack} made no role for ${consumer}; check the name, or pass the role itself with --role <arn>`,
  );
}

async function textsOf(io: Io, files: readonly string[]): Promise<ReadonlyMap<string, string>> {
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
