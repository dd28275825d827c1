import type { Login } from "../../../client/keeper/keeper.ts";
import type { Health } from "../../../client/proxy/health.ts";
import type { Proxy as LoopbackProxy } from "../../../client/proxy/proxy.ts";
import type { ServerAddress } from "../../../client/proxy/server-login.ts";
import { readAuthorities } from "../../proxy/authorities.ts";
import { asFailure } from "../../proxy/failures.ts";
import type { HealthPort } from "../../proxy/health-port.ts";
import { holdLease } from "../../proxy/hold-lease.ts";
import { type Log, logEvents } from "../../proxy/log-events.ts";
import type { Door, OpenProxy } from "../../proxy/open-proxy.ts";
import type { Signals } from "../../proxy/signals.ts";
import { Exit, Failure } from "../../terminal/exit.ts";
import { type KeptLease, keepWanted } from "./keep-wanted.ts";
import { type LeaseOptions, type WantedLease, whichLease } from "./which-lease.ts";

export interface ProxyRun {
  /** The lease, `<database>/<role>`. Undefined: the only one of the environment. */
  readonly name: string | undefined;
  readonly options: LeaseOptions;
  readonly door: Door;
  readonly readers?: readonly ServerAddress[];
  readonly health?: HealthPort | undefined;
  readonly log: Log;
  /** A lease that nobody uses is not renewed. @default false */
  readonly onlyWhileUsed?: boolean;
}

/** A lease and the proxy that logs in with it. */
export interface Running extends KeptLease {
  readonly wanted: WantedLease;
  readonly login: Login;
  readonly open: OpenProxy;
  readonly signals: Signals;
}

/**
 * Take a lease, start a proxy, use it, close it and revoke the lease.
 *
 * @throws ExitStatus with the status of `use`, unless it is 0; Failure if there is no lease or port.
 */
export async function withProxy(
  run: ProxyRun,
  use: (running: Running) => Promise<number>,
): Promise<void> {
  const authorities = readAuthorities(run.options.ca);
  const { wanted, keeper, expiresAt } = await wantedIn(run);
  // while the issuer answers
  const loading = import("../../proxy/open-proxy.ts");
  try {
    await holdLease(keeper, async (login, signals, stopping) => {
      const { openProxy } = await loading;
      // before, what fails is thrown
      const onEvent = logEvents(keeper, run.log);
      await using open = await openProxy({
        keeper,
        login,
        user: wanted.role,
        door: run.door,
        authorities,
        readers: run.readers ?? [],
        onEvent,
      });
      await using health = run.health && (await startHealth(run.health, open.proxy));
      if (health !== undefined) onEvent({ kind: "health", port: health.port });
      const { safePoolLifetime } = open.proxy;
      for (const { host, port } of [open.address, ...open.readers])
        onEvent({ kind: "listening", lease: wanted.name, host, port, safePoolLifetime });
      stopping.throwIfAborted(); // nobody would hear the signal again
      return await use({ wanted, keeper, expiresAt, login, open, signals });
    });
  } catch (error) {
    throw forPeople(error, wanted);
  }
}

type Wanted = Pick<Running, "wanted" | keyof KeptLease>;

async function wantedIn({ name, options, onlyWhileUsed = false }: ProxyRun): Promise<Wanted> {
  try {
    const wanted = await whichLease(name, options);
    return { wanted, ...(await keepWanted(wanted, onlyWhileUsed)) };
  } catch (error) {
    throw asFailure(error);
  }
}

/** People seldom have the consumer's role; a workload that is denied has the wrong one. */
function forPeople(error: unknown, { name, consumer, assume, from }: WantedLease): unknown {
  const isDenied = error instanceof Failure && causesOf(error).includes("AccessDeniedException");
  if (!isDenied || from === "environment" || assume !== undefined) return error;
  return new Failure(
    Exit.notAllowed,
    `only the role of ${consumer} may ask for ${name}; use its credentials, or pass --assume`,
    { cause: error },
  );
}

/** The names of an error's causes. */
const causesOf = ({ cause }: Error): readonly string[] =>
  cause instanceof Error ? [cause.name, ...causesOf(cause)] : [];

/** Node's HTTP server is loaded where somebody wants it. */
async function startHealth(port: HealthPort, proxy: LoopbackProxy): Promise<Health> {
  const { openHealth } = await import("../../proxy/open-health.ts");
  return openHealth(port, proxy);
}
