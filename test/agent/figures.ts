import { existsSync, mkdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { NODE_FLAGS } from "../../bin/start/node-flags.ts";
import { eventually } from "../support/eventually.ts";
import type { AgentProcess } from "./agent-process.ts";
import { type Case, check, LEASE, type Leases } from "./stage.ts";

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

/** How often a start is measured. */
const STARTS = 9;

interface StartTime {
  /** From the start to the call of the issuer. Milliseconds. */
  readonly toCall: number;
  /** From the issuer's answer to the file. Milliseconds. */
  readonly toFile: number;
}

/** How the agent is started. */
type How = Parameters<Leases["start"]>[2];

async function startOnce(leases: Leases, home: string, how: How): Promise<StartTime> {
  const folder = join(home, "db");
  mkdirSync(folder);
  const path = join(folder, "orders.env");
  const file = Promise.withResolvers<number>();
  const watcher = watch(folder, (_, name) => {
    if (name === "orders.env") file.resolve(performance.now());
  });
  const { calls } = leases.issuer;
  const count = calls.length;
  const from = performance.now();
  const agent = leases.start(
    home,
    {
      leases: { orders: LEASE },
      files: [{ path, from: "orders", format: "env" }],
      state: join(home, "state"),
    },
    how,
  );
  const written = await file.promise;
  watcher.close();
  const issue = await eventually(() =>
    calls.slice(count).find(({ event }) => event.action === "issue"),
  );
  check((await agent.end()) === 0, "it ends with 0");
  return { toCall: issue.from - from, toFile: written - issue.to };
}

const starts: Case = {
  name: "from its start to its first file, without the issue itself",
  run: async ({ lasting, folder }) => {
    const env = { AWS_ACCESS_KEY_ID: "none", AWS_SECRET_ACCESS_KEY: "none" };
    const cached = { ...env, NODE_COMPILE_CACHE: folder() };
    const ways: Readonly<Record<string, NonNullable<How>>> = {
      alone: { env },
      "with its flags": { env, flags: NODE_FLAGS },
      "with a compile cache": { env: cached },
      "with both": { env: cached, flags: NODE_FLAGS },
    };
    const times = new Map<string, StartTime[]>();
    // in turn, so that each has its share of what else the machine does; the first fills the cache
    for (let round = 0; round <= STARTS; round++)
      for (const [name, how] of Object.entries(ways)) {
        const time = await startOnce(lasting, folder(), how);
        if (round > 0) times.set(name, [...(times.get(name) ?? []), time]);
      }
    return [...times]
      .map(([name, each]) => {
        const [call, file] = [each.map(({ toCall }) => toCall), each.map(({ toFile }) => toFile)];
        const sums = each.map(({ toCall, toFile }) => toCall + toFile);
        return `${name} ${median(sums).toFixed(0)} ms (to the call ${median(call).toFixed(0)}, from the answer to the file ${median(file).toFixed(0)}; least ${Math.min(...sums).toFixed(0)})`;
      })
      .join("; ");
  },
};

/** How long nothing happens. Seconds. */
const IDLE = Number(process.env.MAYFLY_AGENT_IDLE ?? 120);
const SETTLES = 20;

/** CPU time of a process so far, in milliseconds: the kernel counts hundredths of a second. */
function cpuOf({ pid }: AgentProcess): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const rssOf = ({ pid }: AgentProcess): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1_024;

const idle = (count: number): Case => ({
  name: `idle: ${count} ${count === 1 ? "lease" : "leases"}, each with a file, a proxy and a secret`,
  run: async ({ lasting, folder }) => {
    if (!existsSync("/proc/self/stat")) return "skipped: there is no /proc";
    const home = folder();
    const names = Array.from({ length: count }, (_, at) => `orders-${at + 1}`);
    const proxy = { port: 0, private: true };
    const files = names.map((name) => ({ path: join(home, name), from: name, format: "env" }));
    const agent = lasting.start(home, {
      leases: Object.fromEntries(names.map((name) => [name, { ...LEASE, proxy }])),
      files,
      secretsManager: { port: 0, tokenFile: join(home, "token") },
      state: join(home, "state"),
    });
    await eventually(() => files.every(({ path }) => existsSync(path)), { within: 300_000 });
    await eventually(async () => (await agent.ask("/readyz")).status === 200);
    await wait(SETTLES * 1_000);
    const before = cpuOf(agent);
    await wait(IDLE * 1_000);
    const cpu = ((cpuOf(agent) - before) * 60) / IDLE;
    const rss = rssOf(agent);
    check((await agent.end()) === 0, "it ends with 0");
    return `${cpu.toFixed(0)} ms of CPU a minute, ${megabytes(rss)} of memory, over ${IDLE} s`;
  },
});

export const FIGURES: readonly Case[] = [starts, idle(1), idle(50)];
