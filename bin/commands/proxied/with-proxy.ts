import type { Health } from "../../../client/proxy/health.ts";
import type { Proxy as LoopbackProxy } from "../../../client/proxy/proxy.ts";
import type { ServerAddress } from "../../../client/proxy/server-login.ts";
import { readAuthorities } from "../../proxy/authorities.ts";
import type { HealthPort } from "../../proxy/health-port.ts";
import { type Log, logEvents } from "../../proxy/log-events.ts";
import type { Door, OpenProxy } from "../../proxy/open-proxy.ts";
import { type HeldWanted, holdWanted, type LeaseRun } from "./hold-wanted.ts";

export interface ProxyRun extends LeaseRun {
  readonly door: Door;
  readonly readers?: readonly ServerAddress[];
  readonly health?: HealthPort | undefined;
  readonly log: Log;
}

/** A lease and the proxy that logs in with it. */
export interface Running extends HeldWanted {
  readonly open: OpenProxy;
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
  // while the issuer answers
  const loading = import("../../proxy/open-proxy.ts");
  await holdWanted(run, async (held, stopping) => {
    const { keeper, login, wanted } = held;
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
    return await use({ ...held, open });
  });
}

/** Node's HTTP server is loaded where somebody wants it. */
async function startHealth(port: HealthPort, proxy: LoopbackProxy): Promise<Health> {
  const { openHealth } = await import("../../proxy/open-health.ts");
  return openHealth(port, proxy);
}
