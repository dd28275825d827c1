import { parseArgs } from "node:util";
import { synthesizeConfigured } from "./cloudformation/synthesize.ts";
import { prepareConfiguration, type SchemaFile } from "./existing/prepare-configuration.ts";
import { type Interruption, interruption } from "./interruption.ts";
import { introduction } from "./introduction.ts";
import { startRunner } from "./runner.ts";

const USAGE = `usage: npm run local -- [--config FILE] [--schema DATABASE=FILE]... [--quiet] [--help]

Run the stack of a configuration on this machine until Ctrl-C: a real PostgreSQL for each database,
the very functions, and the AWS APIs they and their callers use.

  --config FILE           the configuration (default: what MAYFLY_CONFIG names, or mayfly.config.ts)
  --schema DATABASE=FILE  SQL for a database that exists, e.g. from pg_dump --schema-only, run as its
                          owner; DATABASE/NAME=FILE for another than its first database
  --quiet                 do not print what the functions log

stdout: lines for a shell, to paste, or to source from a file (npm run local --silent >FILE).
stderr: progress and logs. docs/local.md has the rest.
exit status: 0 stopped by Ctrl-C  1 did not start  64 usage  130 forced by a second Ctrl-C`;

const EX_USAGE = 64;

const say = (line: string): void => console.error(line);

interface Arguments {
  readonly config: string | undefined;
  readonly schemas: readonly SchemaFile[];
  readonly quiet: boolean;
  readonly help: boolean;
}

/** @throws Error if the arguments do not match the usage. */
function readArguments(args: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...args],
    options: {
      config: { type: "string" },
      schema: { type: "string", multiple: true },
      quiet: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  return { ...values, config: values.config, schemas: (values.schema ?? []).map(schemaIn) };
}

function schemaIn(text: string): SchemaFile {
  const { database, dbname, file } =
    /^(?<database>[^=/]+)(?:\/(?<dbname>[^=]+))?=(?<file>.+)$/.exec(text)?.groups ?? {};
  if (database === undefined || file === undefined)
    throw new Error(`--schema must be DATABASE=FILE, got "${text}"`);
  return { database, dbname, file };
}

async function main(argv: readonly string[]): Promise<number> {
  let args: Arguments;
  try {
    args = readArguments(argv);
  } catch (error) {
    say(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return EX_USAGE;
  }
  if (args.help) {
    say(USAGE);
    return 0;
  }
  const interrupted = interruption(say);
  try {
    await run(interrupted, args);
  } catch (error) {
    if (!interrupted.signal.aborted) {
      say(`did not start: ${error instanceof Error ? error.message : String(error)}`);
      return 1;
    }
  }
  say("stopped");
  return 0;
}

async function run(interrupted: Interruption, { config, schemas, quiet }: Arguments) {
  const { signal } = interrupted;
  const onProgress = (line: string): void => {
    // Ctrl-C also ends PostgreSQL: do not report that
    if (!signal.aborted) say(line);
  };
  const prepared = await prepareConfiguration({ config, schemas, onDeath: onProgress });
  try {
    for (const { name } of prepared.existing) say(`database ${name} is a server of this machine`);
    say("building and synthesizing");
    const assembly = await synthesizeConfigured(signal, prepared.configFile);
    try {
      const { accountId, region, existing, buses } = prepared;
      const runner = await startRunner({
        assembly: assembly.folder,
        signal,
        existing,
        buses,
        ...(accountId !== undefined && { accountId }),
        ...(region !== undefined && { region }),
        onProgress,
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
  } finally {
    await prepared.stop();
  }
}

process.exitCode = await main(process.argv.slice(2));
// only the signal listeners keep the process alive now
process.exit();
