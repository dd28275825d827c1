import type { Command } from "commander";
import type { AgentConfiguration, GuardedPort } from "../../client/agent/configuration.ts";
import type { LeaseSource } from "../../client/keeper/sources/lease-source.ts";
import type { Written } from "../agent/agent-configuration.ts";
import type { AgentOptions } from "../agent/agent-options.ts";
import { needNode } from "../proxy/need-node.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import { type Io, print, say } from "../terminal/io.ts";
import { type LeaseOptions, withLease } from "./proxied/which-lease.ts";

interface Options extends LeaseOptions, AgentOptions {
  readonly config?: string;
  readonly once?: boolean;
  readonly check?: boolean;
  readonly ready?: boolean;
  readonly json?: boolean;
}

const append = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** `mayfly agent`: logins for programs beside it, until a signal. */
export function addAgent(program: Command, io: Io): void {
  const command = program
    .command("agent")
    .description("keep logins for other programs: by a proxy, by files, by Secrets Manager's port")
    .usage("[options] [database/role]");
  withLease(command)
    .option("--config <file>", "agent.json, for several logins; instead of the options for one")
    .option("--port <number>", "a proxy on 127.0.0.1, with --password-file or --private-loopback")
    .option("--password-file <file>", "the local password of the proxy; made if there is none")
    .option("--private-loopback", "no password: nobody else is on this loopback, as in a pod")
    .option("--socket <folder>", "a proxy on a Unix socket of this user alone")
    .option("--file <format:path>", "a file to write, e.g. env:/run/db.env; repeat", append, [])
    .option("--template <template:path>", "a file from a template; repeat", append, [])
    .option("--secrets-port <port>", "Secrets Manager's protocol on 127.0.0.1")
    .option("--secrets-token <file>", "the token that it wants; made if there is none")
    .option("--health <port>", "answer /livez, /readyz and /metrics on 127.0.0.1")
    .option("--health-token <file>", "the token that they want; made if there is none")
    .option("--state <folder>", "on a memory volume: a restart finds its leases by it")
    .option("--key <key>", "the idempotency key, instead of one of the agent's own")
    .option("--once", "write the files, run their commands, and end; leases live on")
    .option("--check", "check the configuration, and end")
    .option("--ready", "ask the agent that runs whether every login works, and end")
    .option("--json", "log lines as JSON documents")
    .action(async (name: string | undefined, options: Options) => {
      needNode("agent");
      if (options.ready === true) {
        const { askReady } = await import("../agent/ask-ready.ts");
        await askReady(await healthIn(name, options));
        return;
      }
      const { ensureHome } = await import("../agent/home-folder.ts");
      ensureHome(process.env);
      const { checkedConfiguration } = await import("../agent/agent-configuration.ts");
      const { leases, ...written } = await wantedIn(name, options);
      const { what } = written;
      const configuration = await checkedConfiguration(written);
      needOutlet(configuration, options.once === true);
      if (options.check === true) {
        const { summaryOf } = await import("../agent/agent-log.ts");
        const summary = summaryOf(configuration.logins.length, configuration.files.length);
        print(io, options.json, { problems: [] }, `${what}: ${summary}, no problem`);
        return;
      }
      const { runAgent, runOnce } = await import("../agent/run-agent.ts");
      const log = {
        write: (line: string) => say(io, line),
        asJson: options.json === true,
        withInfo: true,
      };
      await (options.once === true ? runOnce : runAgent)({ configuration, leases, log });
    });
}

/** @throws Failure if nobody would get a login. */
function needOutlet({ logins, files, secretsManager }: AgentConfiguration, isOnce: boolean): void {
  if (files.length > 0) return;
  if (isOnce)
    throw new Failure(
      Exit.usage,
      "--once writes files, and none is named; give --file env:/run/db.env, or files in --config",
    );
  if (secretsManager !== undefined || logins.some(({ proxy }) => proxy !== undefined)) return;
  throw new Failure(
    Exit.usage,
    "nobody would get a login; give --port, --socket, --file, --template or --secrets-port, or the same in --config",
  );
}

interface Wanted extends Written {
  readonly leases: (arn: string) => LeaseSource;
}

async function wantedIn(name: string | undefined, options: Options): Promise<Wanted> {
  const written = await findWhole(name, options);
  if (written !== undefined) {
    const { issuer } = await import("../../client/keeper/sources/issuer.ts");
    return { ...written, leases: issuer };
  }
  const { writtenFor } = await import("../agent/agent-options.ts");
  const { sourceOf } = await import("./proxied/keep-wanted.ts");
  const { whichLease } = await import("./proxied/which-lease.ts");
  const { asFailure } = await import("../proxy/failures.ts");
  try {
    const wanted = await whichLease(name, options);
    const source = await sourceOf(wanted);
    return { value: writtenFor(wanted, options), what: wanted.name, leases: () => source };
  } catch (error) {
    throw asFailure(error);
  }
}

/**
 * A configuration that has everything in it: of `--config`, or of the environment if no lease is
 * named. Undefined if the options say what to do.
 *
 * @throws Failure if options say something else as well.
 */
async function findWhole(name: string | undefined, options: Options): Promise<Written | undefined> {
  const { config, once: _once, check: _check, ready: _ready, json: _json, ...others } = options;
  if (config === undefined && name !== undefined) return undefined;
  const { findWritten } = await import("../agent/agent-configuration.ts");
  const written = findWritten(config, process.env);
  if (written === undefined) return undefined;
  const isOther = Object.values(others).some(
    (value) => value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  if (name === undefined && !isOther) return written;
  const source = config === undefined ? written.what : "--config";
  throw new Failure(
    Exit.usage,
    `${source} has everything in it; leave out the lease and its options, or ${source}`,
  );
}

/** Where the agent answers that was started by the same command line. */
async function healthIn(name: string | undefined, options: Options): Promise<GuardedPort> {
  const written = await findWhole(name, options);
  if (written !== undefined) {
    const { readConfiguration } = await import("../agent/agent-configuration.ts");
    const { health } = readConfiguration(written);
    if (health !== undefined) return health;
  }
  const { healthPortIn } = await import("../proxy/health-port.ts");
  const health = healthPortIn(options);
  if (health !== undefined) return health;
  throw new Failure(
    Exit.usage,
    "--ready asks the agent's health port, and none is named; give --health and --health-token, or health in the configuration",
  );
}
