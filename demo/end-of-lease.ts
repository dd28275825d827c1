import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import { invoke } from "../bin/aws/invoke.ts";
import type { Credential } from "../core/leases/credential.ts";
import type { SweepReport } from "../core/leases/operation/sweep.ts";
import type { Receipt } from "../core/leases/receipt.ts";
import { logIn, sqlStateOf } from "./login.ts";
import { expectSuccess, type Stage } from "./stage.ts";
import { receiptOf } from "./target.ts";

/** What happened from `expiresAt` on. Times in milliseconds since then. */
export interface AtExpiry {
  readonly loginSqlState: string;
  readonly loginRefusedMs: number;
  readonly sessionEndedMs: number;
  readonly roleGoneMs: number;
}

/** The lease ends: its login is refused, its session ended, its role dropped, and a receipt says so. */
export async function expire(
  stage: Stage,
  credential: Credential,
  expiresAt: number,
  open: pg.Client,
) {
  let endedAt: number | undefined;
  open.once("end", () => {
    endedAt = Date.now();
  });
  await waitUntil(expiresAt, stage);
  const loginSqlState = await sqlStateOf(logIn(stage.target, credential));
  const loginRefusedMs = Date.now() - expiresAt;
  if (loginSqlState !== "28P01" && loginSqlState !== "28000")
    throw new Error(`a login after the expiry ended with ${loginSqlState ?? "success"}`);
  const receipt = await awaitReceipt(stage, credential.leaseId, expiresAt);
  const sessionEndedMs = (endedAt ?? Number.NaN) - expiresAt;
  const roleGoneMs = Date.parse(receipt.droppedAt ?? "") - expiresAt;
  if (Number.isNaN(sessionEndedMs)) throw new Error("the open session was not ended");
  const atExpiry = { loginSqlState, loginRefusedMs, sessionEndedMs, roleGoneMs };
  tellOf(stage, atExpiry, receipt);
  return { atExpiry, receipt };
}

async function waitUntil(expiresAt: number, { say }: Stage): Promise<void> {
  say.phase(`waiting until ${new Date(expiresAt).toISOString().slice(11, 19)} UTC`);
  while (Date.now() < expiresAt) {
    say.progress(`waiting for the lease to end, ${Math.ceil((expiresAt - Date.now()) / 1_000)} s`);
    await setTimeout(Math.min(500, Math.max(1, expiresAt - Date.now())));
  }
}

function tellOf({ say }: Stage, atExpiry: AtExpiry, receipt: Receipt): void {
  const { loginSqlState, loginRefusedMs, sessionEndedMs, roleGoneMs } = atExpiry;
  say.step("expire", `login refused (${loginSqlState}) at once`, loginRefusedMs);
  say.detail(`the open session was ended by the revoker ${sessionEndedMs} ms after the expiry,`);
  say.detail(`the role dropped after ${roleGoneMs} ms, by PostgreSQL's clock`);
  const [server] = receipt.servers;
  say.step(
    "receipt",
    `${receipt.state}: OID ${receipt.incarnation}, sessions ended ${server?.sessionsEnded}, stragglers ${server?.stragglersEnded}, left ${server?.sessionsRemaining}`,
  );
}

async function awaitReceipt(
  { target, revokerLogs, say }: Stage,
  leaseId: string,
  expiresAt: number,
): Promise<Receipt> {
  const deadline = expiresAt + target.precision + 30_000;
  while (Date.now() < deadline) {
    say.progress("waiting for the receipt");
    const receipt = await receiptOf(target, revokerLogs, leaseId);
    if (receipt !== undefined) return receipt as unknown as Receipt;
    await setTimeout(target.precision > 2_000 ? 2_000 : 50);
  }
  throw new Error(`no receipt for ${leaseId} in ${revokerLogs} by its deadline`);
}

/** A sweep finds nothing that the story left behind. */
export async function sweepUp({ administrator, operatorArn, say }: Stage) {
  const answer = expectSuccess(await invoke(administrator, operatorArn, { action: "sweep" }));
  const sweep = answer.payload as unknown as SweepReport;
  const { live, revoked, quarantined, left, schedulesMade, unknownSessions, foreign } = sweep;
  if (revoked + quarantined + left + schedulesMade + unknownSessions + foreign.length > 0)
    throw new Error(`the sweep found something: ${JSON.stringify(sweep)}`);
  say.step("sweep", `nothing left to do: ${live} live leases, none due`, answer.milliseconds);
  return { sweep };
}
