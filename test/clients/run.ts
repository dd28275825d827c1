import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { tempFolder } from "../../local/temp-folder.ts";
import { eventually } from "../support/eventually.ts";
import { CLIENTS, type Client, clientsNamed, RunningClient } from "./client.ts";
import { KITS, MissingTool } from "./kits.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { type Counted, rendered } from "./table.ts";

/*
 * Drivers, ORMs and programs of several languages, unmodified, while their leases change and are
 * revoked: through the proxy, and with what the agent hands out at Secrets Manager's port and in
 * files. `npm run test:clients [-- NAME...]`, or words of names: `-- boto3 jdbc`. Prints a table.
 * Exit status: 0 when no statement failed while leases changed and all worked again, 1 otherwise.
 */

const CHANGES = 3;

/** While a program reads a file without a pause: of leases that live as long as this. */
const READ_CHANGES = 20;
const SHORT_LIFE_SECONDS = 14;

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
        ...stage.environmentOf(client),
        ...env,
      }),
  );
  const isFine = (each: RunningClient): boolean => each.isReady || each.failed.length > 0;
  await eventually(() => running.every(isFine), { within: 120_000 });
  return running;
}

/** How long a client may take to work again. A file is looked after once a minute. */
const PATIENCE = 120_000;

/** Revoke all leases. @returns for each client, seconds until it worked as another user. */
async function revokeUnder(
  running: readonly RunningClient[],
  stage: Stage,
): Promise<readonly (number | undefined)[]> {
  const users = running.map((each) => each.users.length);
  const seconds: (number | undefined)[] = running.map(() => undefined);
  const started = performance.now();
  await stage.database.revokeEverything();
  const isDone = (): boolean => {
    for (const [i, each] of running.entries())
      if (each.users.length > (users[i] ?? 0)) seconds[i] ??= (performance.now() - started) / 1_000;
    return seconds.every((each, i) => each !== undefined || users[i] === 0);
  };
  await eventually(isDone, { within: PATIENCE, every: 100 }).catch(() => {});
  await setTimeout(2_000);
  return seconds;
}

/** Through changes of leases. With `revokes`, then a revocation of all of them. */
async function play(
  clients: readonly Client[],
  stage: Stage,
  kind: { readonly env: NodeJS.ProcessEnv; readonly revokes: boolean; readonly changes?: number },
): Promise<readonly Counted[]> {
  const { path, remove } = tempFolder("clients");
  const end = join(path, "end");
  const { changes = CHANGES } = kind;
  try {
    const running = await begin(clients, stage, { ...kind.env, END_FILE: end });
    const before = stage.changes;
    const isOver = (): boolean =>
      stage.changes >= before + changes || running.some(({ hasEnded }) => hasEnded);
    await eventually(isOver, { within: changes * 100_000 });
    // the last of the old leases ends, and its sessions with it
    await setTimeout(stage.overlap + 2_000);
    const counts = running.map(({ failed }) => failed.length);
    const again = kind.revokes ? await revokeUnder(running, stage) : [];
    writeFileSync(end, "");
    await Promise.all(running.map(({ ended }) => ended));
    return running.map(({ client, failed, statements, users }, i) => ({
      client,
      statements,
      users: users.length,
      failed: failed.slice(0, counts[i]),
      revoked: failed.slice(counts[i]),
      secondsUntilAgain: again[i],
      isBack: !kind.revokes || users.length === 0 || again[i] !== undefined,
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

async function onStage<T>(options: StageOptions, task: (stage: Stage) => Promise<T>): Promise<T> {
  const stage = await Stage.start(options);
  try {
    const result = await task(stage);
    for (const fault of stage.database.faults) console.log("a revocation failed:", fault);
    return result;
  } finally {
    await stage.close();
  }
}

async function main(names: readonly string[]): Promise<number> {
  const clients = installed(clientsNamed(names));
  const older = clients.filter(({ ownMajor: has }) => has);
  const readers = clients.filter(({ readsOn }) => readsOn);
  const others = clients.filter((client) => !older.includes(client) && !readers.includes(client));
  const steady: Counted[] = [];
  const resting: Counted[] = [];
  const binaries = ownMajor();
  if (older.length > 0 && binaries === undefined)
    console.log("without pg_dump: a server of its version, which npm run test:matrix installs");
  console.log(`${clients.length} clients, ${CHANGES} changes of leases, twice: some ten minutes`);
  const beside = [
    older.length > 0 && binaries !== undefined
      ? onStage({ binaries }, (stage) => play(older, stage, { env: STEADY, revokes: true }))
      : [],
    readers.length > 0
      ? onStage({ hasAgent: true, lifeSeconds: SHORT_LIFE_SECONDS }, (stage) =>
          play(readers, stage, { env: STEADY, revokes: false, changes: READ_CHANGES }),
        )
      : [],
  ];
  const hasAgent = others.some(({ way }) => way !== undefined);
  await onStage({ hasAgent }, async (stage) => {
    if (others.length > 0)
      steady.push(...(await play(others, stage, { env: STEADY, revokes: true })));
    const resters = others.filter(({ neverRests, way }) => !neverRests && way === undefined);
    if (resters.length > 0)
      resting.push(...(await play(resters, stage, { env: RESTING, revokes: false })));
  });
  for (const counted of beside) steady.push(...(await counted));
  console.log(rendered(CLIENTS, steady, resting));
  return [...steady, ...resting].some(isBad) ? 1 : 0;
}

/** A statement failed while leases changed, or the client never worked, or not again. */
const isBad = ({ failed, statements, isBack }: Counted): boolean =>
  failed.length > 0 || statements === 0 || !isBack;

process.exitCode = await main(process.argv.slice(2));
