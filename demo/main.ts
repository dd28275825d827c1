import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { synthesizeConfigured } from "../local/cloudformation/synthesize.ts";
import { EX_INTERRUPTED, interruption } from "../local/interruption.ts";
import { startRunner } from "../local/runner.ts";
import { findAccount, UsageError } from "./account.ts";
import { makeKills } from "./kills.ts";
import { type Narrator, narrator } from "./narrator.ts";
import { type Facts, tellStory } from "./story.ts";

const USAGE = `usage: npm run demo -- [--json] [--stack NAME]

One lease from asking to its receipt: through the functions and policies of the synthesized stack,
on PostgreSQL on this machine.

  --json         the last line of stdout is one JSON object with what was measured
  --stack NAME   the same steps against a deployed stack, with the AWS credentials and Region of
                 the environment, from a host that can reach its database

exit status: 0 every step went as promised  1 a step did not go as promised  64 usage  130 stopped by Ctrl-C`;

const EX_USAGE = 64;
const CONFIG = join(import.meta.dirname, "mayfly.config.ts");
/** How late the runner's Scheduler fires. Unit: milliseconds. */
const LOCAL_PRECISION = 2_000;

/** AWS retries a rotation that failed minutes later. */
const ROTATION_RETRY_SECONDS = 0.2;

interface Options {
  readonly json?: boolean;
  readonly help?: boolean;
  readonly stack?: string;
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parse(argv);
  if (options === undefined || options.help) {
    (options ? console.log : console.error)(USAGE);
    return options ? 0 : EX_USAGE;
  }
  const say = narrator({ out: process.stdout, err: process.stderr });
  const start = performance.now();
  const tell = options.stack === undefined ? onThisMachine : inTheAccount(options.stack);
  try {
    const facts = await tell(say);
    const seconds = ((performance.now() - start) / 1_000).toFixed(1);
    say.title(
      `One lease, from asking to its receipt, and four secrets that rotate, in ${seconds} s. All that was started is stopped.`,
    );
    if (options.json) console.log(JSON.stringify(facts));
    return 0;
  } catch (error) {
    if (interrupted.signal.aborted) {
      console.error("stopped");
      return EX_INTERRUPTED;
    }
    console.error(`\nthe demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof UsageError ? EX_USAGE : 1;
  }
}

function parse(argv: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        stack: { type: "string" },
      },
    });
    return values;
  } catch (error) {
    console.error((error as Error).message);
    return undefined;
  }
}

async function onThisMachine(say: Narrator): Promise<Facts> {
  say.phase("bundling the functions and synthesizing the stack");
  const { signal } = interrupted;
  const assembly = await synthesizeConfigured(signal, CONFIG);
  try {
    say.phase("starting PostgreSQL and the stack");
    const kills = makeKills();
    const runner = await startRunner({
      assembly: assembly.folder,
      signal,
      onInvoke: kills.onInvoke,
      rotationRetrySeconds: ROTATION_RETRY_SECONDS,
      onProgress: (line) => say.progress(line),
    });
    try {
      say.phase("waiting for the rotations that a deployment begins");
      await unlessInterrupted(runner.rotations.finished());
      say.title("Mayfly: the stack that `cdk deploy` would make, run on this machine");
      const { endpoint, region, stackName, caFile } = runner;
      const credentials = runner.credentialsFor("administrator");
      const ca = readFileSync(caFile, "utf8");
      const clients = { endpoint, region, credentials };
      const restartDatabase = async (): Promise<void> => {
        await runner.database.shutDown();
        await runner.database.restart();
      };
      const machine = { kills, caFile, restartDatabase };
      return await unlessInterrupted(
        tellStory({ clients, stackName, ca, precision: LOCAL_PRECISION, machine }, say),
      );
    } finally {
      await runner.stop();
    }
  } finally {
    assembly.remove();
  }
}

const inTheAccount =
  (stackName: string) =>
  async (say: Narrator): Promise<Facts> => {
    const target = await findAccount(stackName);
    say.title(`Mayfly: stack ${stackName} in Region ${target.clients.region}`);
    return unlessInterrupted(tellStory(target, say));
  };

/** Ctrl-C ends the story early; what was started is stopped in any case. */
const interrupted = interruption(console.error);

const unlessInterrupted = <T>(story: Promise<T>): Promise<T> =>
  Promise.race([
    story,
    interrupted.whenItHappens.then(() => {
      throw new Error("interrupted");
    }),
  ]);

process.exitCode = await main(process.argv.slice(2));
// Nothing is left to wait for but the listeners of the signals, and a story that was interrupted.
process.exit();
