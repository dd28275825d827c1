import { randomBytes } from "node:crypto";
import type { Login } from "../../../client/keeper/keeper.ts";
import { startProxy } from "../../../client/proxy/proxy.ts";
import { makeServers } from "../../../client/proxy/upstream/servers.ts";
import { systemTime } from "../../../client/time.ts";
import { Secret } from "../../../core/secret.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";

/** The proxy alone, in a process of its own: told what to serve, and asked what it took. */
export type Order =
  | {
      readonly kind: "serve";
      readonly login: Omit<Login, "password">;
      readonly password: string;
      readonly ca: string;
    }
  | { readonly kind: "measure" };

/** What the process says. */
export type Report =
  | { readonly kind: "listening"; readonly port: number }
  /** Microseconds of CPU since the start. */
  | { readonly kind: "measured"; readonly cpu: number };

const report = (said: Report): void => void process.send?.(said);

async function serve(order: Extract<Order, { kind: "serve" }>): Promise<void> {
  const login = { ...order.login, password: new Secret(order.password) };
  const proxy = await startProxy({
    keeper: new FakeKeeper(login),
    listen: { port: 0 },
    servers: makeServers({ roots: [order.ca], time: systemTime }),
    applicationName: "bench",
    onEvent: (event) => console.error(event),
    time: systemTime,
    random: randomBytes,
  });
  report({ kind: "listening", port: proxy.port ?? 0 });
}

process.on("message", (order: Order) => {
  if (order.kind === "serve") return void serve(order);
  const { user, system } = process.cpuUsage();
  report({ kind: "measured", cpu: user + system });
});
process.on("disconnect", () => process.exit());
