import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { tempFolder } from "../../local/temp-folder.ts";
import { RawClient, typesOf } from "../support/proxied.ts";
import type { Case } from "./cases.ts";
import { check } from "./stage.ts";

/** Documentation addresses, RFC 5737, both of the loopback of a network namespace of our own. */
const SERVER = "192.0.2.1";
const PROXY = "192.0.2.2";

/** Why a network that loses packets cannot be made here. Undefined if it can. */
export function whyNoNamespaces(): string | undefined {
  try {
    execFileSync("unshare", ["--net", "ip", "link", "set", "lo", "up"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "needs root and network namespaces (unshare, ip)";
  }
}

const ip = (command: string): void => {
  execFileSync("ip", command.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
};

/** Connections to the server's address come from the proxy's. */
function makeNetwork(): void {
  for (const address of [SERVER, PROXY]) ip(`addr add ${address}/32 dev lo`);
  ip(`route replace local ${SERVER} dev lo src ${PROXY} table local`);
}

/** What is sent to the proxy vanishes from now on, as behind a firewall that has forgotten it. */
function cut(): void {
  ip(`route del local ${PROXY} dev lo table local`);
  ip(`route add blackhole ${PROXY} table local`);
}

async function logIn(folder: string): Promise<RawClient> {
  const client = new RawClient(connect(join(folder, ".s.PGSQL.5432")));
  await client.begin();
  return client;
}

/** Seconds until the client is told. */
async function untilTold(client: RawClient, since: number): Promise<number> {
  await client.closed();
  return Math.round((performance.now() - since) / 100) / 10;
}

export const halfOpen: Case = {
  name: "a server that vanishes is told: idle, busy, and with unacknowledged data",
  run: async (stage) => {
    const { path, remove } = tempFolder("half-open");
    const folder = join(path, "s");
    makeNetwork();
    const { host, port } = stage.cluster;
    const relay = fork(join(import.meta.dirname, "relay.ts"), [SERVER, String(port)]);
    try {
      await once(relay, "message");
      await using proxy = await stage.start({
        socketFolder: folder,
        server: { host, port, address: SERVER },
      });
      const clients = {
        idle: await logIn(folder),
        busy: await logIn(folder),
        sending: await logIn(folder),
      };
      const long = await logIn(folder);
      long.query("select pg_sleep(75)");
      const answered = long.until("Z");
      // a long query on a healthy server is probed, and lives
      await wait(5_000);
      clients.busy.query("select pg_sleep(600)");
      check(typesOf(await answered).endsWith("Z"), "a query of 75 seconds is answered");
      const since = performance.now();
      cut();
      clients.sending.query("select 1");
      const told = await Promise.all(
        Object.values(clients).map((client) => untilTold(client, since)),
      );
      const names = Object.keys(clients);
      const seen = names.map((name, index) => `${name} after ${told[index]} s`).join(", ");
      check(Math.max(...told.slice(0, 2)) <= 45, `keepalive + 10 s: ${seen}`);
      check((told[2] ?? 0) <= 60, `unacknowledged within 60 s: ${seen}`);
      const losses = proxy.events.filter(({ kind }) => kind === "server-lost").length;
      check(losses === names.length, `${losses} losses are told as events`);
      return `${seen}; a query of 75 s was not ended`;
    } finally {
      relay.kill();
      remove();
    }
  },
};
