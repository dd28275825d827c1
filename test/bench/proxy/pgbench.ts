import { execFile } from "node:child_process";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { median } from "./statistics.ts";

const run = promisify(execFile);

/** Where pgbench and psql connect to: libpq's variables. */
export type Way = Readonly<Record<string, string>>;

/** What one run of pgbench showed. */
export interface Slice {
  /** Half of the transactions took no longer. Milliseconds. */
  readonly p50: number;
  readonly transactions: number;
}

/**
 * Run pgbench, for one second by default, and read each transaction in its log. With `--rate`, what a
 * transaction waited for its turn is not counted.
 */
export async function slice(
  way: Way,
  args: readonly string[],
  folder: string,
  seconds = 1,
): Promise<Slice> {
  const prefix = join(folder, "log");
  await run("pgbench", ["-n", "-T", String(seconds), "-l", `--log-prefix=${prefix}`, ...args], {
    env: { ...process.env, ...way },
  });
  const latencies: number[] = [];
  for (const name of readdirSync(folder).filter((each) => each.startsWith("log."))) {
    const path = join(folder, name);
    for (const line of readFileSync(path, "utf8").split("\n").filter(Boolean)) {
      // client, transaction, microseconds, script, seconds, microseconds, lag
      const [, , taken = Number.NaN, , , , lag = 0] = line.split(" ").map(Number);
      latencies.push((taken - lag) / 1_000);
    }
    rmSync(path);
  }
  return { p50: median(latencies), transactions: latencies.length };
}

/** Connect once a transaction, for one second. @returns milliseconds of a connection. */
export async function connecting(way: Way): Promise<number> {
  const { stdout } = await run("pgbench", ["-n", "-T", "1", "-C", "-S"], {
    env: { ...process.env, ...way },
  });
  return Number(/average connection time = ([\d.]+) ms/.exec(stdout)?.[1]);
}

/** Milliseconds of one psql command. */
export async function psql(way: Way, command: string): Promise<number> {
  const begin = performance.now();
  await run("sh", ["-c", 'psql -qXv ON_ERROR_STOP=1 -c "$0" > /dev/null', command], {
    env: { ...process.env, ...way },
  });
  return performance.now() - begin;
}

/** Tables for 100,000 accounts. */
export async function initialize(way: Way): Promise<void> {
  await run("pgbench", ["-i", "-q"], { env: { ...process.env, ...way } });
}
