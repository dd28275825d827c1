import type { SweepReport } from "../core/leases/operation/sweep.ts";
import type { Receipt } from "../core/leases/receipt.ts";
import { ApplicationProcess } from "./application-process.ts";
import { type ApplicationSeen, watchApplication } from "./application-steps.ts";
import { type AtExpiry, expire, sweepUp } from "./end-of-lease.ts";
import type { Narrator } from "./narrator.ts";
import { type RotationSeen, rotateAll } from "./rotation.ts";
import { type Stage, setStage } from "./stage.ts";
import { ask, denyOther, renew, replay, use } from "./steps.ts";
import type { DemoTarget } from "./target.ts";

/** What was measured. Times in milliseconds. */
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
  atExpiry: AtExpiry;
  receipt: Receipt;
  sweep: SweepReport;
  rotations: readonly RotationSeen[];
  /** Only on this machine. */
  application?: ApplicationSeen;
}

/** Run every step of the demo on one stack. @throws Error at the first step that does not go as promised. */
export async function tellStory(target: DemoTarget, say: Narrator): Promise<Facts> {
  const stage = await setStage(target, say);
  const key = `demo-${Date.now()}`;
  const issued = await ask(stage, key);
  const { client, ...used } = await use(stage, issued.credential);
  try {
    const denied = await denyOther(stage);
    const replayed = await replay(stage, key, issued.credential);
    const renewed = await renew(stage, issued.credential);
    const ended = await expire(stage, issued.credential, renewed.expiresAt, client);
    const swept = await sweepUp(stage);
    const { rotated, seen } = await besideApplication(stage);
    return {
      username: issued.credential.username,
      issueMs: issued.milliseconds,
      ...used,
      ...denied,
      ...replayed,
      renewMs: renewed.renewMs,
      renewedBySeconds: renewed.renewedBySeconds,
      ...ended,
      ...swept,
      ...rotated,
      ...seen,
    };
  } finally {
    await client.end().catch(() => {});
  }
}

/** An application works while secrets rotate, and then through worse. */
async function besideApplication(stage: Stage) {
  const { machine } = stage.target;
  if (machine === undefined) return { rotated: await rotateAll(stage) };
  const application = await ApplicationProcess.start(stage, machine);
  try {
    const rotated = await rotateAll(stage);
    return { rotated, seen: await watchApplication(stage, machine, application) };
  } finally {
    await application.stop();
  }
}
