import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { tempFolder } from "../../local/temp-folder.ts";
import { eventually } from "../support/eventually.ts";
import { CLIENTS, type Client, RunningClient } from "./client.ts";
import { KITS, MissingTool } from "./kits.ts";
import { Stage } from "./stage.ts";
import { type Counted, rendered } from "./table.ts";

/*
 * Drivers, ORMs and programs of several languages, unmodified, through the proxy while their leases
 * change and are revoked: `npm run test:clients [-- NAME...]`. Prints a table.
 * Exit status: 0 when no statement failed while leases changed, 1 otherwise.
 */

const CHANGES = 3;

/** Work without a rest, with pools that renew their connections within the overlap. */
const STEADY = {
  LIFETIME_SECONDS: "30",
  CHECK_ON_BORROW: "0",
  WORKERS: "3",
  MIN_PAUSE_SECONDS: "0",
  MAX_PAUSE_SECONDS: "0.2",
};

/** Work with rests, and pools that keep their connections: the proxy ends what is quiet. */
const RESTING = {
  LIFETIME_SECONDS: "0",
  CHECK_ON_BORROW: "1",
  WORKERS: "1",
  MIN_PAUSE_SECONDS: "1",
  MAX_PAUSE_SECONDS: "6",
};

/** Start clients, and wait until each has done something. */
async function begin(
  clients: readonly Client[],
  stage: Stage,
  env: NodeJS.ProcessEnv,
): Promise<readonly RunningClient[]> {
  const running = clients.map(
    (client) =>
      new RunningClient(client, {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: "1",
        ...stage.environment(client.role ?? "readonly"),
        ...env,
      }),
  );
  const isFine = (each: RunningClient): boolean => each.isReady || each.failed.length > 0;
  await eventually(() => running.every(isFine), { within: 120_000 });
  return running;
}

/** Through changes of leases. With `revokes`, then a revocation of all of them. */
async function play(
  clients: readonly Client[],
  stage: Stage,
  kind: { readonly env: NodeJS.ProcessEnv; readonly revokes: boolean },
): Promise<readonly Counted[]> {
  const { path, remove } = tempFolder("clients");
  const end = join(path, "end");
  try {
    const running = await begin(clients, stage, { ...kind.env, END_FILE: end });
    const before = stage.changes;
    await eventually(() => stage.changes >= before + CHANGES, { within: 300_000 });
    // the last of the old leases ends, and its sessions with it
    await setTimeout(stage.overlap + 2_000);
    const counts = running.map(({ failed }) => failed.length);
    if (kind.revokes) {
      await stage.database.revokeEverything();
      await setTimeout(5_000);
    }
    writeFileSync(end, "");
    await Promise.all(running.map(({ ended }) => ended));
    return running.map(({ client, failed, statements, users }, i) => ({
      client,
      statements,
      users: users.length,
      failed: failed.slice(0, counts[i]),
      revoked: failed.slice(counts[i]),
    }));
  } finally {
    remove();
  }
}

/** The PostgreSQL of test/matrix that the installed pg_dump can read. */
function ownMajor(): string | undefined {
  const { error, stdout } = spawnSync("pg_dump", ["--version"], { encoding: "utf8" });
  if (error !== undefined) return undefined;
  const [, major] = / (\d+)\./.exec(stdout) ?? [];
  const folder = `postgres${major}-${process.platform}-${process.arch}`;
  const native = join(import.meta.dirname, "..", "matrix", "node_modules", folder, "native");
  return existsSync(native) ? native : undefined;
}

/** Clients that can run here. Says of the others what they need. */
function installed(wanted: readonly Client[]): readonly Client[] {
  const names = Object.keys(KITS) as (keyof typeof KITS)[];
  const fine = names.filter((name) => {
    const clients = wanted.filter(({ kit }) => kit === name).map((client) => client.name);
    if (clients.length === 0) return false;
    try {
      console.log(`installing what ${clients.join(", ")} need`);
      KITS[name].install();
      return true;
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      console.log(`without ${clients.join(", ")}: ${KITS[name].needs}; ${error.message}`);
      return false;
    }
  });
  return wanted.filter(({ kit }) => fine.includes(kit));
}

async function onStage<T>(
  binaries: string | undefined,
  task: (stage: Stage) => Promise<T>,
): Promise<T> {
  const stage = await Stage.start(binaries);
  try {
    const result = await task(stage);
    for (const fault of stage.database.faults) console.log("a revocation failed:", fault);
    return result;
  } finally {
    await stage.close();
  }
}

async function main(names: readonly string[]): Promise<number> {
  const wanted = CLIENTS.filter(({ name }) => names.length === 0 || names.includes(name));
  const clients = installed(wanted);
  const older = clients.filter(({ ownMajor: has }) => has);
  const others = clients.filter((client) => !older.includes(client));
  const steady: Counted[] = [];
  const resting: Counted[] = [];
  const binaries = ownMajor();
  if (older.length > 0 && binaries === undefined)
    console.log("without pg_dump: a server of its version, which npm run test:matrix installs");
  console.log(`${clients.length} clients, ${CHANGES} changes of leases, twice: some seven minutes`);
  const dumping =
    older.length > 0 && binaries !== undefined
      ? onStage(binaries, (stage) => play(older, stage, { env: STEADY, revokes: true }))
      : Promise.resolve([]);
  await onStage(undefined, async (stage) => {
    steady.push(...(await play(others, stage, { env: STEADY, revokes: true })));
    const resters = others.filter(({ neverRests }) => !neverRests);
    resting.push(...(await play(resters, stage, { env: RESTING, revokes: false })));
  });
  steady.push(...(await dumping));
  console.log(rendered(CLIENTS, steady, resting));
  return [...steady, ...resting].some(({ failed, statements }) => failed.length > 0 || !statements)
    ? 1
    : 0;
}

process.exitCode = await main(process.argv.slice(2));
