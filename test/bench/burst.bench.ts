import { setTimeout } from "node:timers/promises";
import { CreateScheduleCommand, GetScheduleCommand } from "@aws-sdk/client-scheduler";
import pg from "pg";
import { afterAll, beforeAll, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { aliasName } from "../../core/names.ts";
import {
  type SynthesizedStack,
  synthesizeConfigured,
} from "../../local/cloudformation/synthesize.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { type Clients, clientsOf, invoke } from "../local/clients.ts";

// The promise: 1,000 leases that end in the same second, every tenth with a session, are gone 5 s later.
// Until the first is dropped, the runner sends messages: it decides a thousand times whether it may.

const COUNT = Number(process.env.MAYFLY_BURST ?? 1_000);
/** Every so many has a session; the server takes some two hundred. */
const SESSIONS = Math.max(10, COUNT / 100);
const AT_ONCE = 5;
/** Before the second looks come. Unit: seconds. */
const PATIENCE = 55;

let assembly: SynthesizedStack;
let runner: Runner;
let consumer: Clients;
let administrator: Clients;

beforeAll(async () => {
  process.env.MAYFLY_CONFIG = `${import.meta.dirname}/fixtures/burst.config.ts`;
  assembly = await synthesizeConfigured();
  runner = await startRunner({ assembly: assembly.folder });
  consumer = clientsOf(runner, runner.outputs.UserServiceRoleArn ?? "");
  administrator = clientsOf(runner, "administrator");
});
afterAll(async () => {
  await runner?.stop();
  assembly?.remove();
});

const output = (name: string): string => runner.outputs[name] ?? "";

async function issue(): Promise<Credential> {
  const alias = `${output("OrdersIssuerArn")}:${aliasName("user-service", "readonly")}`;
  const { answer, FunctionError } = await invoke(consumer, alias, { action: "issue" });
  if (FunctionError !== undefined) throw new Error(JSON.stringify(answer));
  return answer as unknown as Credential;
}

async function logIn({ host, port, dbname, username, password }: Credential): Promise<pg.Client> {
  const ssl = { ca: runner.database.ca };
  const client = new pg.Client({ host, port, database: dbname, user: username, password, ssl });
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Do something for each of many, a few at once. */
async function forAll<T>(all: readonly T[], work: (each: T) => Promise<void>): Promise<void> {
  const left = [...all];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let each = left.pop(); each !== undefined; each = left.pop()) await work(each);
    }),
  );
}

interface Line {
  readonly message: string;
  readonly function_request_id: string;
  readonly receipt?: {
    readonly droppedAt?: string;
    readonly servers: readonly { readonly sessionsEnded: number }[];
  };
}

/** What revokers have said so far. */
const revokerLines = (): readonly Line[] =>
  runner
    .logs(output("OrdersRevokerLogGroup").replace("/aws/lambda/", ""))
    .flatMap(({ line }) => (line.includes('"message"') ? [JSON.parse(line) as Line] : []));

/** Messages in the revoker's queue, those at work too. */
const queued = (): number => {
  const [reading] = runner.calls.filter(({ action }) => action === "sqs:ReceiveMessage");
  return runner.queueMessages(reading?.resource ?? "no queue is read").length;
};

/** When something has become true, on a clock; an error after a minute. */
async function reached(
  otherwise: string,
  clock: () => number,
  isTrue: () => boolean | Promise<boolean>,
): Promise<number> {
  while (!(await isTrue())) {
    if (clock() > PATIENCE)
      throw new Error(
        `${otherwise} after ${PATIENCE} s: ${JSON.stringify(revokerLines().slice(-3))}`,
      );
    await setTimeout(100);
  }
  return clock();
}

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(values.length * share) - 1] ?? Number.NaN;

test(`${COUNT} leases that end in the same second`, async () => {
  const sql = new pg.Client(runner.database.superuser("mayfly"));
  sql.on("error", () => {});
  await sql.connect();
  const credentials: Credential[] = [];
  await forAll(
    Array.from({ length: COUNT }, (_, i) => i),
    async () => {
      credentials.push(await issue());
    },
  );
  const sessions: pg.Client[] = [];
  for (const [i, each] of credentials.entries())
    if (i % SESSIONS === 0) sessions.push(await logIn(each));

  // their schedules are an hour away: let them all end in one second, and have schedules for that
  const [group, any] = (
    runner.calls.find(({ action }) => action === "scheduler:CreateSchedule")?.resource ?? ""
  )
    .split("/")
    .slice(-2);
  const { Target } = await administrator.scheduler.send(
    new GetScheduleCommand({ GroupName: group, Name: any }),
  );
  const second = Math.ceil(Date.now() / 1_000 + COUNT / 40 + 5);
  const until = new Date(second * 1_000).toISOString();
  const { rows: oids } = await sql.query("select rolname, oid::text from pg_roles");
  const incarnations = new Map(oids.map(({ rolname, oid }) => [rolname, oid]));
  await sql.query(
    credentials.map(({ username }) => `alter role "${username}" valid until '${until}'`).join(";"),
  );
  await forAll(credentials, async ({ username, leaseId }) => {
    const Input = JSON.stringify({ leaseId, incarnation: incarnations.get(username) });
    await administrator.scheduler.send(
      new CreateScheduleCommand({
        GroupName: group,
        Name: `${username.slice(-12)}-${second}`,
        ScheduleExpression: `at(${until.slice(0, 19)})`,
        FlexibleTimeWindow: { Mode: "OFF" },
        ActionAfterCompletion: "DELETE",
        Target: Target && { ...Target, Input },
      }),
    );
  });
  const early = second * 1_000 - Date.now();
  if (early < 500) throw new Error(`the schedules took ${500 - early} ms too long to make`);
  await setTimeout(early);

  const roles = async (): Promise<number> => {
    const { rows } = await sql.query(
      "select count(*)::int as n from pg_roles where rolname ~ '^mf_[a-z2-7]{4}_readonly_user'",
    );
    return rows[0]?.n ?? Number.NaN;
  };
  const since = (): number => (Date.now() - second * 1_000) / 1_000;
  const gone = await reached("roles are left", since, async () => (await roles()) === 0);
  const receiptLines = (): readonly Line[] =>
    revokerLines().filter(({ message }) => message === "lease.revoked");
  const receipts = await reached(
    "receipts are missing",
    since,
    () => receiptLines().length >= COUNT,
  );
  const empty = await reached("messages are left", since, () => queued() === 0);
  const lines = receiptLines();
  const lags = lines.map(({ receipt }) => Date.parse(receipt?.droppedAt ?? "") / 1_000 - second);
  const calls = new Set(revokerLines().map((line) => line.function_request_id)).size;
  // where two revokers met at a lease, one dropped it, and the other may have ended its session
  const ended = revokerLines()
    .flatMap(({ receipt }) => receipt?.servers ?? [])
    .reduce((sum, each) => sum + each.sessionsEnded, 0);
  console.log(
    `${COUNT} leases, ${sessions.length} sessions, ${ended} in receipts: dropped first ${Math.min(...lags).toFixed(2)} s, p50 ${percentile(lags, 0.5).toFixed(2)} s, p99 ${percentile(lags, 0.99).toFixed(2)} s, last role gone ${gone.toFixed(2)} s, all receipts ${receipts.toFixed(2)} s, queue empty ${empty.toFixed(2)} s; ${calls} invocations`,
  );
  await Promise.all(sessions.map((each) => each.end().catch(() => {})));
  await sql.end();
});
