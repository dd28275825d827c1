import { synthesizeConfigured } from "./cloudformation/synthesize.ts";
import { type Interruption, interruption } from "./interruption.ts";
import { introduction } from "./introduction.ts";
import { startRunner } from "./runner.ts";

const USAGE = `usage: npm run local -- [--quiet] [--help]

Run the stack of mayfly.config.ts (or of the file that MAYFLY_CONFIG names) on this machine until
Ctrl-C: a real PostgreSQL, the very functions, and the AWS APIs they and their callers use.

  --quiet   do not print what the functions log

stdout: lines for a shell, to paste, or to source from a file (npm run local --silent >FILE).
stderr: progress and logs. docs/local.md has the rest.
exit status: 0 stopped by Ctrl-C  1 did not start  64 usage  130 forced by a second Ctrl-C`;

const EX_USAGE = 64;

const say = (line: string): void => console.error(line);

async function main(argv: readonly string[]): Promise<number> {
  if (argv.some((each) => each !== "--quiet")) {
    say(USAGE);
    return argv.includes("--help") ? 0 : EX_USAGE;
  }
  const interrupted = interruption(say);
  try {
    await run(interrupted, argv.includes("--quiet"));
  } catch (error) {
    if (!interrupted.signal.aborted) {
      say(`did not start: ${error instanceof Error ? error.message : String(error)}`);
      return 1;
    }
  }
  say("stopped");
  return 0;
}

async function run(interrupted: Interruption, quiet: boolean): Promise<void> {
  say("building and synthesizing");
  const { signal } = interrupted;
  const assembly = await synthesizeConfigured(signal);
  try {
    const runner = await startRunner({
      assembly: assembly.folder,
      signal,
      onProgress: (line) => {
        // Ctrl-C reaches PostgreSQL as well: that it ends then is no news
        if (!signal.aborted) say(line);
      },
      ...(!quiet && { onLog: (name, line) => say(`${name}: ${line}`) }),
    });
    try {
      console.log(`\n${await introduction(runner)}\n`);
      say("running until Ctrl-C");
      await interrupted.whenItHappens;
    } finally {
      await runner.stop();
    }
  } finally {
    assembly.remove();
  }
}

process.exitCode = await main(process.argv.slice(2));
// Nothing is left to wait for but the listeners of the signals.
process.exit();
