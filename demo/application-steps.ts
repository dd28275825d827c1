import { setTimeout } from "node:timers/promises";
import { invoke } from "../bin/aws/invoke.ts";
import type { ApplicationProcess, Counts } from "./application-process.ts";
import { expectSuccess, type Stage } from "./stage.ts";
import type { Machine } from "./target.ts";

const REPLACEMENTS = 3;
/** Three leases of twelve seconds, with some for a slow machine. */
const PATIENCE_MS = 60_000;
/** Work again: that many statements. */
const AGAIN = 20;
const POLL_MS = 20;

/** What became of the application's statements while something happened. */
export interface Happened {
  readonly queries: number;
  readonly failed: readonly string[];
}

/** What the application saw. */
export interface ApplicationSeen {
  readonly users: number;
  readonly replaced: Happened;
  readonly revoked: Happened;
  readonly restarted: Happened;
}

const since = (before: Counts, now: Counts): Happened => ({
  queries: now.queries - before.queries,
  failed: now.failed.slice(before.failed.length),
});

const sqlstates = ({ failed }: Happened): string =>
  failed.length === 0 ? "0 failed" : `${failed.length} failed (${[...new Set(failed)].join(", ")})`;

/** An application lives through changes of its lease, a break glass, and a restart of the database. */
export async function watchApplication(
  stage: Stage,
  machine: Machine,
  application: ApplicationProcess,
): Promise<{ application: ApplicationSeen }> {
  const { say } = stage;
  say.title(
    "An application that knows nothing of this: mayfly exec orders/brief -- node application.ts",
  );
  const first = await countsWhen(application, ({ users }) => users > REPLACEMENTS);
  const replaced = since({ queries: 0, failed: [], users: 0 }, first);
  say.step(
    "replace",
    `its lease was replaced ${first.users - 1} times: ${replaced.queries} queries, ${sqlstates(replaced)}`,
  );
  if (replaced.failed.length > 0)
    throw new Error(`${sqlstates(replaced)}: ${application.lastWords}`);
  const revoked = await during(application, () => revokeAll(stage));
  say.step(
    "revoke",
    `break glass, all its leases at once: ${sqlstates(revoked.happened)}`,
    revoked.milliseconds,
  );
  const restarted = await during(application, machine.restartDatabase);
  say.step("restart", `of the database: ${sqlstates(restarted.happened)}`, restarted.milliseconds);
  say.detail("a statement fails only if it is in flight, or while the database is away");
  return {
    application: {
      users: first.users,
      replaced,
      revoked: revoked.happened,
      restarted: restarted.happened,
    },
  };
}

/** What failed from the beginning of `action` until the application works again. */
async function during(
  application: ApplicationProcess,
  action: () => Promise<void>,
): Promise<{ readonly happened: Happened; readonly milliseconds: number }> {
  const before = await application.counts();
  const start = performance.now();
  await action();
  const then = await application.counts();
  const after = await countsWhen(application, ({ queries }) => queries >= then.queries + AGAIN);
  return { happened: since(before, after), milliseconds: performance.now() - start };
}

async function revokeAll({ administrator, operatorArn }: Stage): Promise<void> {
  const event = { action: "revoke", consumer: "user-service" };
  expectSuccess(await invoke(administrator, operatorArn, event));
}

async function countsWhen(
  application: ApplicationProcess,
  isEnough: (counts: Counts) => boolean,
): Promise<Counts> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const counts = await application.counts();
    if (isEnough(counts)) return counts;
    if (performance.now() > deadline)
      throw new Error(`the application got stuck: ${JSON.stringify(counts)}`);
    await setTimeout(POLL_MS);
  }
}
