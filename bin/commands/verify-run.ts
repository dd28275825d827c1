import { randomUUID } from "node:crypto";
import { pascal } from "../../config/config.ts";
import { aliasName } from "../../core/names.ts";
import type { Time } from "../../core/time.ts";
import { Exit, Failure, wordsOf } from "../terminal/exit.ts";
import { confirm, type Io, print, say } from "../terminal/io.ts";
import { table } from "../terminal/table.ts";
import type { Account } from "../verify/account.ts";
import type { Check } from "../verify/checks/check.ts";
import { Cleanup, type Leftover } from "../verify/cleanup.ts";
import { costFor, dollars } from "../verify/cost.ts";
import type { Deployer } from "../verify/deployer.ts";
import type { Interruption, listenForInterruption } from "../verify/interruption.ts";
import { type Mask, makeMask } from "../verify/mask.ts";
import { differs, skipped } from "../verify/outcome.ts";
import { reportOf, tally } from "../verify/report.ts";
import type { Result } from "../verify/run-checks.ts";
import { SANDBOX } from "../verify/sandbox-app.ts";
import type { StackUnderTest } from "../verify/stack-under-test.ts";
import { verifyStack } from "../verify/verify-stack.ts";
import { chosen, ownStackOf, roleArnIn } from "./find.ts";

/** The options of `mayfly verify`. */
export interface VerifyOptions {
  readonly stack?: string;
  readonly database?: string;
  readonly consumer?: string;
  readonly role?: string;
  readonly trailLogGroup?: string;
  readonly report: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** What a run needs from outside. Tests pass their own. */
export interface VerifyDeps {
  readonly checks: readonly Check[];
  readonly isAws: boolean;
  /** The account and Region of the caller's keys. */
  readonly whereAmI: () => Promise<{ readonly account: string; readonly region: string }>;
  /** The outputs of the stack, and of the database's own stack if it has one. */
  readonly outputsOf: (
    stack: string,
    database: string | undefined,
  ) => Promise<ReadonlyMap<string, string>>;
  readonly makeAccount: (consumerRoleArn: string | undefined, time: Time) => Promise<Account>;
  /** @throws Failure if no cdk is installed here. */
  readonly makeDeployer: (onOutput: (text: string) => void) => Deployer;
  readonly makeTime: (signal: AbortSignal) => Time;
  readonly listen: typeof listenForInterruption;
  readonly writeReport: (path: string, text: string) => void;
}

/** To deploy, check and destroy a sandbox may take an hour and a half. */
const HOURS = 2;

/** @throws Failure if a check differs, something was left behind, or an input is missing. */
export async function runVerify(io: Io, options: VerifyOptions, deps: VerifyDeps): Promise<void> {
  checkOptions(options);
  const cleanup = new Cleanup();
  const interruption = deps.listen({
    onFirst: () =>
      say(io, "stopping; what was made is being removed. Press Ctrl-C again to leave it there"),
    onSecond: () => sayLeft(io, cleanup.pending),
  });
  try {
    await run({ io, options, deps, cleanup, interruption });
  } finally {
    interruption.end();
  }
}

function checkOptions({ stack, consumer, role, database }: VerifyOptions): void {
  if (stack !== undefined && (consumer === undefined || role === undefined))
    throw new Failure(
      Exit.usage,
      "--stack needs --consumer and --role. Verify makes and ends leases of that grant only; a grant made for this is best",
    );
  if (stack === undefined && (consumer ?? role ?? database) !== undefined)
    throw new Failure(
      Exit.usage,
      "--consumer, --role and --database describe a deployed stack; name the stack with --stack",
    );
}

interface Run {
  readonly io: Io;
  readonly options: VerifyOptions;
  readonly deps: VerifyDeps;
  readonly cleanup: Cleanup;
  readonly interruption: Interruption;
}

async function run(all: Run): Promise<void> {
  const { io, options, deps, interruption } = all;
  const { region, account } = await deps.whereAmI();
  const accountAndRegion = `account ${account}, Region ${region}`;
  const time = deps.makeTime(interruption.signal);
  const { results, mask, leftovers } =
    options.stack === undefined
      ? await verifyOwn(all, time, accountAndRegion)
      : await verifyGiven(all, options.stack, time, accountAndRegion);
  const masked = leftovers.map((each) => ({ ...each, what: mask(each.what), why: mask(each.why) }));
  const report = reportOf(results, masked, {
    at: new Date(time.now()).toISOString(),
    region,
    isAws: deps.isAws,
    stack: options.stack === undefined ? "deployed by this run" : "given",
    node: process.version,
  });
  printResults(all, results, masked);
  sayLeft(io, leftovers);
  deps.writeReport(options.report, report);
  say(io, `${tally(results)}; the report is in ${options.report}`);
  if (interruption.signal.aborted)
    throw new Failure(Exit.tryAgain, "interrupted; the report holds the checks made before that");
  const bad = results.filter(({ verdict }) => verdict === "differs");
  if (bad.length > 0)
    throw new Failure(
      Exit.differs,
      `not as documented: ${bad.map(({ check }) => check.id).join(", ")}; please open an issue with the report`,
    );
  if (leftovers.length > 0)
    throw new Failure(
      Exit.unavailable,
      "something was left behind; remove it with the commands printed above",
    );
}

interface Finished {
  readonly results: readonly Result[];
  readonly mask: Mask;
  readonly leftovers: readonly Leftover[];
}

async function verifyGiven(
  all: Run,
  name: string,
  time: Time,
  accountAndRegion: string,
): Promise<Finished> {
  const { io, options, deps, cleanup } = all;
  const { consumer = "", role = "" } = options;
  const outputs = await deps.outputsOf(name, options.database);
  const stack = underTest(outputs, { ...options, stack: name, consumer, role });
  await askFirst(
    all,
    `This looks at stack ${name} in ${accountAndRegion}. It makes and ends two leases of ${consumer} for ${role}, and a schedule that is refused. It costs less than $0.01.`,
  );
  const account = await deps.makeAccount(stack.roleArn, time);
  const remove = () => cleanup.run(account, (what) => say(io, `removing ${what}`));
  const { results, mask } = await check(all, { account, time, stack }).catch(async (error) => {
    sayLeft(io, await remove());
    throw error;
  });
  return { results, mask, leftovers: await remove() };
}

async function verifyOwn(all: Run, time: Time, accountAndRegion: string): Promise<Finished> {
  const { io, deps, cleanup, interruption } = all;
  const deployer = deps.makeDeployer((text) => void io.err.write(text));
  try {
    const { stackName } = deployer;
    const cost = costFor(await deployer.synthesize(interruption.signal), HOURS);
    await askFirst(
      all,
      `This deploys the stack ${stackName} into ${accountAndRegion}, checks it, and destroys it. It takes about an hour, and costs ${dollars(cost)} for ${HOURS} hours by list prices of us-east-1.`,
    );
    // without a consumer's role: the cleanup must be registered before anything is created
    let account = await deps.makeAccount(undefined, time);
    cleanup.add({
      what: `stack ${stackName}`,
      byHand: `aws cloudformation delete-stack --stack-name ${stackName}`,
      remove: () => deployer.destroy(),
    });
    const start = time.now();
    const finish = async (results: readonly Result[], mask: Mask): Promise<Finished> => {
      const left = await cleanup.run(account, (what) => say(io, `removing ${what}`));
      const kept = left.length > 0 ? [] : await remainders(account, stackName);
      return { results, mask, leftovers: [...left, ...kept] };
    };
    try {
      await deployer.deploy(interruption.signal);
    } catch (error) {
      const mask = makeMask(new Map([[stackName, "stack"]]));
      return await finish(notDeployed(deps.checks, mask(wordsOf(error)), interruption), mask);
    }
    const took = time.now() - start;
    try {
      const outputs = await deps.outputsOf(stackName, undefined);
      const { consumer, role } = deployer;
      const named = { stack: stackName, consumer, role };
      const stack = underTest(outputs, named);
      account = await deps.makeAccount(stack.roleArn, time);
      const secretArn = (name: string): string =>
        outputs.get(`${pascal(SANDBOX.database)}${pascal(name)}SecretArn`) ?? "";
      const deployed = {
        took,
        userSecretArn: secretArn(SANDBOX.userSecret),
        masterSecretArn: secretArn(SANDBOX.masterSecret),
        redeploy: () => deployer.deploy(interruption.signal),
      };
      const verified = await check(all, { account, time, stack: { ...stack, deployed } });
      return await finish(verified.results, verified.mask);
    } catch (error) {
      const { leftovers } = await finish([], makeMask());
      sayLeft(io, leftovers);
      throw error;
    }
  } finally {
    deployer.removeFiles();
  }
}

/** The result of each check if the deployment failed. */
const notDeployed = (
  checks: readonly Check[],
  words: string,
  { signal }: Interruption,
): readonly Result[] =>
  checks.map((each) => ({
    check: each,
    ...(each.id === "stack-deploys" && !signal.aborted
      ? differs(words)
      : skipped(signal.aborted ? "interrupted" : "the stack was not deployed")),
  }));

async function remainders(account: Account, stackName: string): Promise<readonly Leftover[]> {
  try {
    const found = await account.remaindersOf(stackName);
    return found.map((each) => ({ ...each, why: "the stack's deletion kept it" }));
  } catch (error) {
    return [
      {
        what: `resources that the deletion of stack ${stackName} kept`,
        byHand: `look for log groups and schedule groups whose names hold ${stackName}`,
        why: `it could not be listed: ${wordsOf(error)}`,
      },
    ];
  }
}

interface Named {
  readonly stack: string;
  readonly database?: string;
  readonly consumer: string;
  readonly role: string;
}

/** @throws Failure if an output is missing from the stack. */
function underTest(outputs: ReadonlyMap<string, string>, named: Named): StackUnderTest {
  const { consumer, role } = named;
  const { issuer, operator } = chosen(outputs, named);
  const roleArn = roleArnIn(outputs, consumer);
  if (roleArn === undefined)
    throw new Failure(
      Exit.unavailable,
      `stack ${named.stack} has no output ${pascal(consumer)}RoleArn: the stack did not make the role of ${consumer}, and verify must assume that role; name a consumer with newRole and assumedBy "account"`,
    );
  // without a name, the only database is chosen
  const databaseStack = ownStackOf(outputs, named);
  const consumerFunction = outputs.get(`${pascal(consumer)}FunctionName`);
  return {
    name: named.stack,
    ...(databaseStack !== undefined && { databaseStack }),
    issuerArn: issuer,
    operatorArn: operator,
    consumer,
    role,
    aliasArn: `${issuer}:${aliasName(consumer, role)}`,
    roleArn,
    ...(consumerFunction !== undefined && { consumerFunction }),
  };
}

interface Subject {
  readonly account: Account;
  readonly time: Time;
  readonly stack: StackUnderTest;
}

const check = ({ io, options, deps, cleanup, interruption }: Run, subject: Subject) =>
  verifyStack({
    ...subject,
    checks: deps.checks,
    cleanup,
    trailLogGroup: options.trailLogGroup,
    newKey: randomUUID,
    signal: interruption.signal,
    onResult: ({ check: { id }, verdict }) => say(io, `${id}: ${verdict}`),
  });

async function askFirst(
  { io, options, interruption: { signal } }: Run,
  question: string,
): Promise<void> {
  if (options.yes !== true && (io.in.isTTY !== true || io.err.isTTY !== true))
    throw new Failure(
      Exit.usage,
      `${question} There is no terminal to ask on, so nothing was made; pass --yes`,
    );
  if (options.yes === true) say(io, question);
  const confirmed = options.yes === true || (await confirm(io, question, signal));
  if (signal.aborted) throw new Failure(Exit.tryAgain, "interrupted: nothing was made");
  if (!confirmed) throw new Failure(Exit.usage, "not confirmed: nothing was made");
}

/** A cell of the table, shortened. The report has the whole text. */
const WIDEST = 90;

const shortened = (text: string): string =>
  text.length <= WIDEST ? text : `${text.slice(0, WIDEST - 1)}…`;

function printResults(
  { io, options }: Run,
  results: readonly Result[],
  leftovers: readonly Leftover[],
): void {
  const document = {
    checks: results.map(({ check: { id, documents, does }, verdict, saw }) => ({
      id,
      verdict,
      documents,
      does,
      saw,
    })),
    leftovers: leftovers.map(({ what, why }) => ({ what, why })),
    report: options.report,
  };
  const rows = results.map((each) => [each.check.id, each.verdict, shortened(each.saw)]);
  print(io, options.json, document, table(["CHECK", "VERDICT", "SAW, OR WHY NOT"], rows));
}

/** Prints real names, not masked ones: the reader has to remove these things. */
function sayLeft(
  io: Io,
  left: readonly (Pick<Leftover, "what" | "byHand"> & Partial<Pick<Leftover, "why">>)[],
): void {
  for (const { what, byHand, why } of left)
    say(
      io,
      `left behind: ${what}${why === undefined ? "" : ` (${why})`}; remove it with: ${byHand}`,
    );
}
