import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type Agent, startAgent } from "../../client/agent/agent.ts";
import type { AgentTold } from "../../client/agent/agent-events.ts";
import type { AgentConfiguration } from "../../client/agent/configuration.ts";
import { makeChanges } from "../../client/agent/files/changes/changes.ts";
import { FileError } from "../../client/agent/files/file-error.ts";
import { startFile } from "../../client/agent/files/start-file.ts";
import { StateError } from "../../client/agent/state/state-folder.ts";
import type { SourceFailure } from "../../client/keeper/keeper.ts";
import type { LeaseSource } from "../../client/keeper/sources/lease-source.ts";
import { rotatedSecret } from "../../client/keeper/sources/secrets-manager.ts";
import { makeServers } from "../../client/proxy/upstream/servers.ts";
import { authoritiesOf, makeTrustedRoots } from "../../client/proxy/upstream/trusted-roots.ts";
import { systemTime } from "../../client/time.ts";
import { minutes } from "../../core/time.ts";
import { readAuthorities } from "../proxy/authorities.ts";
import { asFailure, statusOfFailure } from "../proxy/failures.ts";
import type { Log } from "../proxy/log-events.ts";
import { listenForSignals, type Signal } from "../proxy/signals.ts";
import { RDS_ROOTS } from "../rds-roots.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import { aboutFile, agentLog } from "./agent-log.ts";

export interface AgentRun {
  readonly configuration: AgentConfiguration;
  /** By the ARN of an issuer's alias. */
  readonly leases: (arn: string) => LeaseSource;
  readonly log: Log;
}

/**
 * Run an agent until a signal ends it: SIGTERM and SIGHUP let sessions go on for the time of grace,
 * SIGINT and SIGQUIT do not, nor any longer.
 *
 * @throws Failure if it cannot begin.
 */
export async function runAgent(run: AgentRun): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const hurry = new AbortController();
  using _signals = listenForSignals((signal) => {
    if (AT_ONCE.has(signal)) hurry.abort();
    if (signal !== "SIGUSR1" && signal !== "SIGUSR2") stopped.resolve();
  });
  await using agent = await begin(run, { keepsLeases: false, onEvent: agentLog(run.log) });
  await stopped.promise;
  await agent.close(hurry.signal);
}

/** A person who waits at a terminal. */
const AT_ONCE: ReadonlySet<Signal> = new Set(["SIGINT", "SIGQUIT"]);

/** A job has no login then, and whoever started it is to hear that. */
const LONGEST_ONCE = minutes(1);

/**
 * Write the files, run their commands, and end. Leases live on for the job that comes after.
 *
 * @throws Failure if there is no login, or a file or a command fails.
 */
export async function runOnce({ configuration, ...run }: AgentRun): Promise<void> {
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // it may be too late to be heard
  const stopped = new AbortController();
  using _signals = listenForSignals((signal) =>
    failed.reject(new Failure(Exit.tryAgain, `ended by ${signal}, before all files were written`)),
  );
  const log = agentLog(run.log);
  let last = "nothing has answered";
  const onEvent = (event: AgentTold, login: string | undefined): void => {
    const failure = failureOf(event, login);
    if (failure === undefined) log(event, login);
    else failed.reject(failure);
    if (event.kind === "failing") last = event.message;
  };
  const files: AgentConfiguration = {
    ...configuration,
    logins: configuration.logins.map((login) => ({
      ...login,
      proxy: undefined,
      secretName: undefined,
    })),
    secretsManager: undefined,
    health: undefined,
  };
  void systemTime.wait(LONGEST_ONCE, stopped.signal).then(() => {
    failed.reject(new Failure(Exit.tryAgain, `not all files are written: ${last}`));
  });
  try {
    await using agent = await begin(
      { configuration: files, ...run },
      { keepsLeases: true, onEvent },
    );
    await Promise.race([agent.written, failed.promise]);
  } finally {
    stopped.abort();
  }
}

/** What passes by itself is waited for. */
const PASSING: ReadonlySet<SourceFailure> = new Set(["unavailable", "throttled"]);

function failureOf(event: AgentTold, login: string | undefined): Failure | undefined {
  switch (event.kind) {
    case "failing": {
      const { failure, message } = event;
      if (PASSING.has(failure)) return undefined;
      return new Failure(statusOfFailure(failure), `${login}: ${message}`);
    }
    case "file-failed":
    case "on-change-failed":
      return new Failure(Exit.unavailable, aboutFile(event));
    default:
      return undefined;
  }
}

async function begin(
  { configuration, leases }: AgentRun,
  rest: {
    readonly keepsLeases: boolean;
    readonly onEvent: (event: AgentTold, login: string | undefined) => void;
  },
): Promise<Agent> {
  const roots = makeTrustedRoots({
    rds: RDS_ROOTS,
    ca: readAuthorities(configuration.ca),
  });
  try {
    return await startAgent({
      configuration,
      leases,
      secrets: rotatedSecret,
      servers: makeServers({ roots, time: systemTime }),
      applicationName: `mayfly@${hostname()}`,
      startFile,
      authoritiesOf: (host) => authoritiesOf(roots, host),
      makeChanges: (onEvent) =>
        makeChanges({ environment: process.env, onEvent, time: systemTime }),
      startSecretsPort: async (options) => {
        const port = await import("../../client/agent/secrets-manager/secrets-port.ts");
        return port.startSecretsPort(options);
      },
      time: systemTime,
      random: Math.random,
      randomBytes,
      ...rest,
    });
  } catch (error) {
    if (error instanceof StateError || error instanceof FileError)
      throw new Failure(Exit.config, error.message, { cause: error });
    throw asFailure(error);
  }
}
