import { randomBytes } from "node:crypto";
import { type Health, healthToken, startHealth } from "../../client/proxy/health.ts";
import type { Proxy as LoopbackProxy } from "../../client/proxy/proxy.ts";
import { Exit, Failure } from "../terminal/exit.ts";
import { portIn } from "./port-option.ts";

export interface HealthOptions {
  readonly health?: string;
  readonly healthToken?: string;
}

/** Where `/livez` and `/readyz` answer. */
export interface HealthPort {
  readonly port: number;
  /** Of `/readyz`; made if there is none. */
  readonly tokenFile: string;
}

/** @throws Failure if one of the two options is missing, or the port is none. */
export function healthPortIn({ health, healthToken }: HealthOptions): HealthPort | undefined {
  if (health === undefined && healthToken === undefined) return undefined;
  if (health === undefined || healthToken === undefined)
    throw new Failure(
      Exit.usage,
      "--health needs --health-token, and the other way round; give the port and the token's file",
    );
  return { port: portIn("--health", health), tokenFile: healthToken };
}

/** @throws ListenError if the port is taken, or others may read the token. */
export const openHealth = (
  { port, tokenFile }: HealthPort,
  proxy: LoopbackProxy,
): Promise<Health> =>
  startHealth({
    port,
    token: healthToken(tokenFile, randomBytes),
    ready: (signal) => proxy.ready(signal),
  });
