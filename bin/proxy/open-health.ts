import { randomBytes } from "node:crypto";
import { readOrMakeToken } from "../../client/loopback/token-file.ts";
import { type Health, startHealth } from "../../client/proxy/health.ts";
import type { Proxy as LoopbackProxy } from "../../client/proxy/proxy.ts";
import type { HealthPort } from "./health-port.ts";

/** @throws ListenError if the port is taken, or others may read the token. */
export const openHealth = (
  { port, tokenFile }: HealthPort,
  proxy: LoopbackProxy,
): Promise<Health> =>
  startHealth({
    port,
    token: readOrMakeToken(tokenFile, randomBytes),
    ready: (signal) => proxy.ready(signal),
  });
