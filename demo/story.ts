import { setTimeout } from "node:timers/promises";
import type { LambdaClient } from "@aws-sdk/client-lambda";
import pg from "pg";
import type { Credential } from "../core/credential.ts";
import type { Receipt } from "../core/receipt.ts";
import type { SweepReport } from "../core/sweep.ts";
import type { Narrator } from "./narrator.ts";
import { type Answer, assume, invoke, outputsOf, type Place, receiptOf } from "./place.ts";

/** What was measured. Times in milliseconds; `atExpiry` counts from `expiresAt`. */
export interface Facts {
  username: string;
  server: string;
  tls: string;
  issueMs: number;
  connectMs: number;
  rowsRead: number;
  insertSqlState: string;
  denial: string;
  replayMs: number;
  replayIsSame: boolean;
  renewMs: number;
  renewedBySeconds: number;
  atExpiry: {
    loginSqlState: string;
    loginRefusedMs: number;
    sessionEndedMs: number;
    roleGoneMs: number;
  };
  receipt: Receipt;
  sweep: SweepReport;
}

const LEASE_SECONDS = 10;
const RENEWAL_SECONDS = 12;
const ISSUER = "OrdersIssuerArn";
const OPERATOR = "OrdersOperatorArn";

interface Stage {
  readonly place: Place;
  readonly say: Narrator;
  readonly aliasArn: string;
  readonly operatorArn: string;
  readonly revokerLogs: string;
  readonly userService: LambdaClient;
  readonly reporting: LambdaClient;
  readonly administrator: LambdaClient;
}

/** Tell the story in one place. @throws Error at the first step that does not go as promised. */
export async function tellStory(place: Place, say: Narrator): Promise<Facts> {
  const stage = await setStage(place, say);
  const key = `demo-${Date.now()}`;
  const asked = await ask(stage, key);
  const { client, ...used } = await use(stage, asked.credential);
  try {
    const denied = await denyOther(stage);
    const replayed = await replay(stage, key, asked.credential);
    const renewed = await renew(stage, asked.credential);
    const ended = await expire(stage, asked.credential, renewed.expiresAt, client);
    const swept = await sweepUp(stage);
    return {
      username: asked.credential.username,
      issueMs: asked.milliseconds,
      ...used,
      ...denied,
      ...replayed,
      renewMs: renewed.renewMs,
      renewedBySeconds: renewed.renewedBySeconds,
      ...ended,
      ...swept,
    };
  } finally {
    await client.end().catch(() => {});
  }
}

async function setStage(place: Place, say: Narrator): Promise<Stage> {
  say.phase("finding the stack's functions and roles");
  const outputs = await outputsOf(place);
  const output = (name: string): string => {
    const value = outputs.get(name);
    if (value === undefined)
      throw new Error(
        `stack ${place.stackName} has no output ${name}; the demo needs the stack of the shipped mayfly.config.ts`,
      );
    return value;
  };
  const { LambdaClient: Client } = await import("@aws-sdk/client-lambda");
  return {
    place,
    say,
    aliasArn: `${output(ISSUER)}:user-service--readonly`,
    operatorArn: output(OPERATOR),
    revokerLogs: output("OrdersRevokerLogGroup"),
    userService: await assume(place, output("UserServiceRoleArn")),
    reporting: await assume(place, output("ReportingRoleArn")),
    administrator: new Client(place.clients),
  };
}

async function ask({ userService, aliasArn, say }: Stage, idempotencyKey: string) {
  say.progress("user-service asks");
  const event = { action: "issue", ttlSeconds: LEASE_SECONDS, idempotencyKey };
  const answer = expectSuccess(await invoke(userService, aliasArn, event));
  const credential = answer.payload as unknown as Credential;
  const { milliseconds } = answer;
  say.step(
    "ask",
    `user-service, with its IAM role alone, gets a login for ${LEASE_SECONDS} s (cold start)`,
    milliseconds,
  );
  say.detail(credential.username);
  return { credential, milliseconds };
}

async function use({ place, say }: Stage, credential: Credential) {
  const start = performance.now();
  const client = await logIn(place, credential);
  const connectMs = performance.now() - start;
  const { rows } = await client.query(
    `select (select count(*)::int from public.orders) as orders,
       (select version from pg_stat_ssl where pid = pg_backend_pid()) as tls,
       current_setting('server_version') as server`,
  );
  const [{ orders, tls, server }] = rows as [{ orders: number; tls: string; server: string }];
  const insertSqlState = await sqlStateOf(client.query("insert into public.orders default values"));
  if (insertSqlState !== "42501") throw new Error(`INSERT ended with ${insertSqlState}, not 42501`);
  say.step(
    "use",
    `PostgreSQL ${server} over ${tls}: SELECT reads ${orders} rows, INSERT is refused (42501)`,
    connectMs,
  );
  return { client, connectMs, rowsRead: orders, tls, server, insertSqlState };
}

async function denyOther({ reporting, aliasArn, say }: Stage) {
  const start = performance.now();
  const denial = await invoke(reporting, aliasArn, { action: "issue" }).then(
    () => undefined,
    (error: Error) => error,
  );
  if (denial?.name !== "AccessDeniedException")
    throw new Error(`reporting was not denied user-service's alias: ${denial?.message}`);
  const took = performance.now() - start;
  say.step("deny", "reporting calls user-service's alias: IAM says AccessDenied", took);
  say.detail(denial.message.replace(/^.*resource: \S+:/, "…"));
  return { denial: denial.message };
}

async function replay({ userService, aliasArn, say }: Stage, key: string, first: Credential) {
  const event = { action: "issue", ttlSeconds: LEASE_SECONDS, idempotencyKey: key };
  const answer = expectSuccess(await invoke(userService, aliasArn, event));
  const again = answer.payload as unknown as Credential;
  const replayIsSame = again.username === first.username && again.password === first.password;
  if (!replayIsSame) throw new Error("the same idempotency key gave another credential");
  say.step("replay", "the same idempotency key: the same user and password", answer.milliseconds);
  return { replayMs: answer.milliseconds, replayIsSame };
}

async function renew({ userService, aliasArn, say }: Stage, { leaseId, expiresAt }: Credential) {
  const event = { action: "renew", leaseId, ttlSeconds: RENEWAL_SECONDS };
  const { payload, milliseconds } = expectSuccess(await invoke(userService, aliasArn, event));
  const renewedUntil = Date.parse(String(payload.expiresAt));
  const renewedBySeconds = (renewedUntil - Date.parse(expiresAt)) / 1_000;
  const [before, after] = [expiresAt, String(payload.expiresAt)].map((time) => time.slice(11, 19));
  say.step(
    "renew",
    `${RENEWAL_SECONDS} s from now: it ends at ${after} UTC instead of ${before}`,
    milliseconds,
  );
  return { renewMs: milliseconds, renewedBySeconds, expiresAt: renewedUntil };
}

async function expire(stage: Stage, credential: Credential, expiresAt: number, open: pg.Client) {
  const { place, say } = stage;
  let endedAt: number | undefined;
  open.once("end", () => {
    endedAt = Date.now();
  });
  say.phase(`waiting until ${new Date(expiresAt).toISOString().slice(11, 19)} UTC`);
  while (Date.now() < expiresAt) {
    say.progress(`waiting for the lease to end, ${Math.ceil((expiresAt - Date.now()) / 1_000)} s`);
    await setTimeout(Math.min(500, Math.max(1, expiresAt - Date.now())));
  }
  const loginSqlState = await sqlStateOf(logIn(place, credential));
  const loginRefusedMs = Date.now() - expiresAt;
  if (loginSqlState !== "28P01" && loginSqlState !== "28000")
    throw new Error(`a login after the expiry ended with ${loginSqlState ?? "success"}`);
  const receipt = await awaitReceipt(stage, credential.leaseId, expiresAt);
  const sessionEndedMs = (endedAt ?? Number.NaN) - expiresAt;
  const roleGoneMs = Date.parse(receipt.droppedAt ?? "") - expiresAt;
  if (Number.isNaN(sessionEndedMs)) throw new Error("the open session was not ended");
  say.step("expire", `login refused (${loginSqlState}) at once`, loginRefusedMs);
  say.detail(`the open session was ended by the revoker ${sessionEndedMs} ms after the expiry,`);
  say.detail(`the role dropped after ${roleGoneMs} ms, by PostgreSQL's clock`);
  const [server] = receipt.servers;
  say.step(
    "receipt",
    `${receipt.state}: OID ${receipt.roleOid}, sessions ended ${server?.sessionsEnded}, stragglers ${server?.stragglersEnded}, left ${server?.sessionsRemaining}`,
  );
  return {
    atExpiry: { loginSqlState, loginRefusedMs, sessionEndedMs, roleGoneMs },
    receipt,
  };
}

async function awaitReceipt(
  { place, revokerLogs, say }: Stage,
  leaseId: string,
  expiresAt: number,
): Promise<Receipt> {
  const deadline = expiresAt + place.precision + 30_000;
  while (Date.now() < deadline) {
    say.progress("waiting for the receipt");
    const receipt = await receiptOf(place, revokerLogs, leaseId);
    if (receipt !== undefined) return receipt as unknown as Receipt;
    await setTimeout(place.precision > 2_000 ? 2_000 : 50);
  }
  throw new Error(`no receipt for ${leaseId} in ${revokerLogs} by its deadline`);
}

async function sweepUp({ administrator, operatorArn, say }: Stage) {
  const answer = expectSuccess(await invoke(administrator, operatorArn, { action: "sweep" }));
  const sweep = answer.payload as unknown as SweepReport;
  const { live, revoked, quarantined, left, schedulesMade, unknownSessions, foreign } = sweep;
  if (revoked + quarantined + left + schedulesMade + unknownSessions + foreign.length > 0)
    throw new Error(`the sweep found something: ${JSON.stringify(sweep)}`);
  say.step("sweep", `nothing left to do: ${live} live leases, none due`, answer.milliseconds);
  return { sweep };
}

async function logIn({ ca }: Place, credential: Credential): Promise<pg.Client> {
  const client = new pg.Client({
    host: credential.host,
    port: credential.port,
    database: credential.dbname,
    user: credential.username,
    password: credential.password,
    ssl: { ca },
  });
  client.on("error", () => {}); // its end is part of the story
  await client.connect();
  return client;
}

const sqlStateOf = (attempt: Promise<unknown>): Promise<string | undefined> =>
  attempt.then(
    () => undefined,
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );

function expectSuccess(answer: Answer): Answer {
  if (answer.errorType === undefined) return answer;
  throw new Error(`${answer.errorType}: ${String(answer.payload.errorMessage)}`);
}
