import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { interruption } from "./interruption.ts";
import { type Runner, startRunner } from "./runner.ts";
import { synthesizeShipped } from "./shipped-stack.ts";

const USAGE = `usage: npm run local -- [--quiet] [--help]

Run the stack of mayfly.config.ts (or of the file that MAYFLY_CONFIG names) on this machine until
Ctrl-C: a real PostgreSQL, the very functions, and the AWS APIs they and their callers use.

  --quiet   do not print what the functions log

stdout: shell lines to paste. stderr: progress and logs. docs/local.md has the rest.
exit status: 0 stopped by Ctrl-C  1 did not start  64 usage`;

const EX_USAGE = 64;

const say = (line: string): void => console.error(line);

/** Environment variables of a principal's keys, as one line for a shell. */
function exportLine(runner: Runner, principal: string): string {
  const { accessKeyId, secretAccessKey, sessionToken } = runner.credentialsFor(principal);
  return `export AWS_ACCESS_KEY_ID=${accessKeyId} AWS_SECRET_ACCESS_KEY=${secretAccessKey} AWS_SESSION_TOKEN=${sessionToken}`;
}

/** The aliases that the policies let a principal call: asked, not guessed. */
async function aliasesOf(runner: Runner, principal: string): Promise<string[]> {
  const { endpoint, region } = runner;
  const client = new LambdaClient({
    endpoint,
    region,
    credentials: runner.credentialsFor(principal),
  });
  const asked = runner.aliasArns.map((FunctionName) =>
    client.send(new InvokeCommand({ FunctionName, InvocationType: "DryRun" })).then(
      () => [FunctionName],
      () => [],
    ),
  );
  return (await Promise.all(asked)).flat();
}

async function introduce(runner: Runner): Promise<void> {
  const { endpoint, region, outputs, caFile } = runner;
  console.log(`\n# stack ${runner.stackName}; in every shell:`);
  console.log(
    `export AWS_ENDPOINT_URL=${endpoint} AWS_REGION=${region} AWS_DEFAULT_REGION=${region} PGSSLROOTCERT=${caFile}`,
  );
  console.log("\n# as an administrator, who may do anything that no policy denies:");
  console.log(exportLine(runner, "administrator"));
  for (const [output, principal] of Object.entries(outputs)) {
    if (!output.endsWith("RoleArn")) continue;
    console.log(`\n# as ${principal.split("/").at(-1)}:`);
    console.log(exportLine(runner, principal));
    for (const alias of await aliasesOf(runner, principal))
      console.log(
        `aws lambda invoke --function-name ${alias} --cli-binary-format raw-in-base64-out --payload '{"action":"issue"}' /dev/stdout`,
      );
  }
  console.log();
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.some((each) => each !== "--quiet")) {
    say(USAGE);
    return argv.includes("--help") ? 0 : EX_USAGE;
  }
  const interrupted = interruption(say);
  say("building and synthesizing");
  const assembly = await synthesizeShipped();
  try {
    const onLog = (name: string, line: string): void => say(`${name}: ${line}`);
    const runner = await startRunner({
      assembly: assembly.folder,
      onProgress: say,
      ...(!argv.includes("--quiet") && { onLog }),
    });
    try {
      await introduce(runner);
      say("running until Ctrl-C");
      await interrupted;
    } finally {
      await runner.stop();
    }
    return 0;
  } finally {
    assembly.remove();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  say(`did not start: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
// Nothing is left to wait for but the listeners of the signals.
process.exit();
