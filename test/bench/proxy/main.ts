import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { tempFolder } from "../../../local/temp-folder.ts";
import { startCluster, type TestCluster } from "../../support/cluster.ts";
import { MeasuredProxy } from "./measured-proxy.ts";
import { connecting, initialize, psql, type Slice, slice, type Way } from "./pgbench.ts";
import { MeasuredPgbouncer } from "./pgbouncer.ts";
import { untilQuiet } from "./quiet.ts";
import { median, spread } from "./statistics.ts";

const USAGE = `usage: npm run bench:proxy [-- PAIRS]

Measure what the proxy costs: PAIRS (default 20) times one second direct and one second through the
proxy, in turns, for each kind of work. Takes about 15 seconds a pair, and longer on a machine that
does other work: each pair waits ten seconds for a quiet moment. Needs pgbench and psql;
with pgbouncer on PATH, its CPU is measured too.
exit status: 0 measured  64 usage  69 pgbench or psql is missing`;

const EX_USAGE = 64;
const EX_UNAVAILABLE = 69;

/** A row of the table. */
interface Figure {
  readonly what: string;
  readonly bound: string;
  readonly measured: string;
}

/** Pairs that began while the machine did other work. */
let loudPairs = 0;

/** The two ways, in turns. */
async function pairs<T>(
  count: number,
  { direct, proxied }: { readonly direct: () => Promise<T>; readonly proxied: () => Promise<T> },
): Promise<[T, T][]> {
  const all: [T, T][] = [];
  for (let done = 0; done < count; done++) {
    if (!(await untilQuiet())) loudPairs += 1;
    // the first of two has the colder caches
    if (done % 2 === 0) all.push([await direct(), await proxied()]);
    else {
      const through = await proxied();
      all.push([await direct(), through]);
    }
  }
  return all;
}

interface Bench {
  readonly count: number;
  readonly direct: Way;
  readonly proxied: Way;
  readonly proxy: MeasuredProxy;
  readonly pgbouncer: MeasuredPgbouncer | undefined;
  /** For pgbench's scripts and logs. */
  readonly folder: string;
}

/** Pairs of runs of pgbench. Those in which a whole second had no transaction say nothing. */
async function slices(
  { count, direct, proxied, folder }: Bench,
  args: readonly string[],
): Promise<[Slice, Slice][]> {
  const all = await pairs(count, {
    direct: () => slice(direct, args, folder),
    proxied: () => slice(proxied, args, folder),
  });
  return all.filter((pair) => pair.every(({ transactions }) => transactions > 0));
}

const added = (measured: readonly [Slice, Slice][]): string =>
  `${spread(
    measured.map(([direct, through]) => through.p50 - direct.p50),
    3,
  )} ms on ${median(measured.map(([direct]) => direct.p50)).toFixed(3)}`;

const share = (measured: readonly [Slice, Slice][]): string =>
  spread(
    measured.map(([direct, through]) => through.transactions / direct.transactions),
    2,
  );

const SELECTS = ["-S", "-M", "prepared"];
const SATURATING = ["-c", "8", "-j", "2"];
/** The clients' logins are then a small part of it. */
const CPU_SECONDS = 10;

async function latencies(bench: Bench): Promise<Figure[]> {
  const one = await slices(bench, [...SELECTS, "-c", "1"]);
  const eight = await slices(bench, [...SELECTS, "-c", "8", "-j", "2", "--rate", "4000"]);
  return [
    { what: "added p50, 1 client", bound: "≤ 0.1 ms", measured: added(one) },
    { what: "added p50, 8 clients × 500/s", bound: "≤ 0.25 ms", measured: added(eight) },
  ];
}

async function throughputs(bench: Bench): Promise<Figure[]> {
  const script = join(bench.folder, "sleep.sql");
  writeFileSync(script, "select pg_sleep(0.001);\n");
  const sleeping = await slices(bench, ["-f", script, "-M", "prepared", ...SATURATING]);
  const saturated = await slices(bench, [...SELECTS, ...SATURATING]);
  return [
    {
      what: "share of direct throughput, 8 clients, statements of 1 ms",
      bound: "≥ 0.9",
      measured: share(sleeping),
    },
    {
      what: "the same with `pgbench -S`, which keeps all cores busy",
      bound: "none",
      measured: share(saturated),
    },
  ];
}

/** CPU of a hop, while all cores are busy: of the proxy, and of pgbouncer where there is one. */
async function cpuFigures({ proxy, pgbouncer, proxied, folder }: Bench): Promise<Figure[]> {
  const perTransaction = async (port: number, cpu: () => Promise<number>): Promise<number> => {
    if (!(await untilQuiet())) loudPairs += 1;
    const before = await cpu();
    const way = { ...proxied, PGPORT: String(port) };
    const { transactions } = await slice(way, [...SELECTS, ...SATURATING], folder, CPU_SECONDS);
    return ((await cpu()) - before) / transactions;
  };
  const what = "CPU of a transaction in the proxy";
  const ours = await perTransaction(proxy.port, () => proxy.cpu());
  if (pgbouncer === undefined) {
    console.error("pgbouncer is not on PATH: its CPU is not measured");
    return [{ what, bound: "none", measured: `${ours.toFixed(1)} µs` }];
  }
  const theirs = await perTransaction(pgbouncer.port, () => Promise.resolve(pgbouncer.cpu()));
  return [
    {
      what,
      bound: "≤ 1.8 × pgbouncer's",
      measured: `${ours.toFixed(1)} µs: ${(ours / theirs).toFixed(2)} × ${theirs.toFixed(1)}`,
    },
  ];
}

async function copies({ count, direct, proxied }: Bench): Promise<Figure[]> {
  const row = "repeat('x', 999) from generate_series(1, 100000)";
  const commands = {
    "COPY of 100 MB out": `copy (select ${row}) to stdout`,
    "COPY of 100 MB in": `\\copy bench_copy from program 'yes ${"x".repeat(999)} | head -100000'`,
  };
  await psql(direct, "create unlogged table bench_copy (line text)");
  const figures: Figure[] = [];
  for (const [what, command] of Object.entries(commands)) {
    const measured = await pairs(Math.ceil(count / 2), {
      direct: () => psql(direct, command),
      proxied: () => psql(proxied, command),
    });
    const shares = measured.map(([alone, through]) => alone / through);
    figures.push({
      what: `share of direct speed, ${what}`,
      bound: "≥ 0.95",
      measured: spread(shares, 2),
    });
    await psql(direct, "truncate bench_copy");
  }
  return figures;
}

async function connections({ count, direct, proxied }: Bench): Promise<Figure[]> {
  const measured = await pairs(count, {
    direct: () => connecting(direct),
    proxied: () => connecting(proxied),
  });
  const more = measured.map(([alone, through]) => through - alone);
  return [
    {
      what: "added to connecting",
      bound: "none",
      measured: `${spread(more, 2)} ms on ${median(measured.map(([alone]) => alone)).toFixed(2)}`,
    },
  ];
}

const waysTo = (
  { host, port, masterUsername, masterPassword }: TestCluster,
  proxy: MeasuredProxy,
  caFile: string,
): { direct: Way; proxied: Way } => ({
  direct: {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: masterUsername,
    PGPASSWORD: masterPassword,
    PGDATABASE: "orders",
    PGSSLMODE: "verify-full",
    PGSSLROOTCERT: caFile,
  },
  proxied: {
    PGHOST: "127.0.0.1",
    PGPORT: String(proxy.port),
    PGUSER: "anybody",
    PGDATABASE: "orders",
    PGSSLMODE: "disable",
  },
});

async function measure(count: number): Promise<void> {
  const { server, cluster } = await startCluster();
  const { path: folder, remove } = tempFolder("bench");
  try {
    await using proxy = await MeasuredProxy.start(cluster, folder);
    await using pgbouncer = isThere("pgbouncer")
      ? await MeasuredPgbouncer.start(cluster, server.caFile)
      : undefined;
    const ways = waysTo(cluster, proxy, server.caFile);
    const bench = { count, folder, proxy, pgbouncer, ...ways };
    await initialize(bench.direct);
    console.log(`${cpus().length} cores, Node ${process.versions.node}, ${count} pairs`);
    console.log("\n| what | promised | median (quartiles) |\n| --- | --- | --- |");
    for (const kind of [latencies, throughputs, cpuFigures, copies, connections])
      for (const { what, bound, measured } of await kind(bench))
        console.log(`| ${what} | ${bound} | ${measured} |`);
    if (loudPairs > 0) console.log(`\n${loudPairs} pairs were measured on a busy machine`);
  } finally {
    remove();
    await server.stop();
  }
}

const isThere = (program: string): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0;

async function main([pairsText = "20", ...rest]: readonly string[]): Promise<number> {
  if (!/^[1-9]\d{0,3}$/.test(pairsText) || rest.length > 0) {
    console.error(USAGE);
    return pairsText === "--help" ? 0 : EX_USAGE;
  }
  const missing = ["pgbench", "psql"].filter((program) => !isThere(program));
  if (missing.length > 0) {
    console.error(`not on PATH: ${missing.join(", ")}; install PostgreSQL's client programs`);
    return EX_UNAVAILABLE;
  }
  await measure(Number(pairsText));
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
