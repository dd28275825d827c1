import { randomBytes } from "node:crypto";
import { minutes, plus, seconds } from "../../../core/time.ts";
import type { MadeLease } from "../evidence.ts";
import { differs, fine, NotMade, type Outcome } from "../outcome.ts";
import { logGroupOf } from "../stack-under-test.ts";
import { waitFor } from "../wait-for.ts";
import { auditWords } from "./audit-words.ts";
import type { World } from "./check.ts";

/**
 * 60 seconds for Scheduler, and one call of the revoker, maybe with a cold start. Unit: seconds.
 */
const LAG_AT_MOST = 65;

/** Scheduler assumes the schedule's role before it accepts a schedule. */
export const scheduleRole = async (world: World): Promise<Outcome> =>
  scheduledOf(world, await world.evidence.lease());

/** The schedule of the shortest lease is created a few seconds before it is due. */
export const shortestLease = async (world: World): Promise<Outcome> =>
  scheduledOf(world, await world.evidence.shortLease());

async function scheduledOf(
  { account, evidence, stack }: World,
  { credential }: MadeLease,
): Promise<Outcome> {
  if (credential.revocationScheduled)
    return fine("CreateSchedule was accepted, and the answer says revocationScheduled");
  const words = auditWords("schedule.failed", credential.username);
  const [line] = await account.logLines(logGroupOf(stack, "issuer"), words, evidence.since);
  const reason = line === undefined ? "no line says why" : JSON.parse(line).reason;
  return differs(`the lease was issued without its schedule: ${reason}`);
}

/** Scheduler's error for a time in the past. */
export async function schedulePast({ account, evidence, cleanup, time }: World): Promise<Outcome> {
  const { name } = await evidence.lease();
  const [own] = await account.schedulesNamed(name.random);
  if (own === undefined) throw new NotMade("the lease has no schedule to take group and role from");
  const target = await account.scheduleTarget(own);
  const schedule = { group: own.group, name: `verify-${randomBytes(6).toString("hex")}` };
  const forget = cleanup.add({
    what: `schedule ${schedule.name} of group ${schedule.group}`,
    byHand: `aws scheduler delete-schedule --group-name ${schedule.group} --name ${schedule.name}`,
    remove: (all) => all.deleteSchedule(schedule),
  });
  try {
    await account.createSchedule(schedule, plus(time.now(), seconds(-60)), target);
  } catch (error) {
    if (!(error instanceof Error) || error.name !== "ValidationException") throw error;
    forget();
    return fine(`refused with ${error.name}: ${error.message}`);
  }
  return differs("a schedule whose time passed a minute ago was accepted");
}

/** Time from the expiry to the DROP, by the database's clock. */
export async function revocationLag({ evidence }: World): Promise<Outcome> {
  const { lagSeconds, state } = await evidence.end();
  const words = `${lagSeconds.toFixed(1)} s from expiry to DROP, state ${state}`;
  return lagSeconds <= LAG_AT_MOST && state === "revoked" ? fine(words) : differs(words);
}

/** A lease ends with this actor only by a message that Scheduler sent with the schedules' role. */
export async function queuePolicy({ evidence }: World): Promise<Outcome> {
  const { actor } = await evidence.end();
  return actor === "schedule"
    ? fine("the lease was ended by its schedule's message")
    : differs(`the lease was ended by ${actor}, not by its schedule: no message came in time`);
}

/** `ActionAfterCompletion: DELETE`. */
export async function scheduleDeleted({ account, evidence, time }: World): Promise<Outcome> {
  const { name } = await evidence.shortLease();
  await evidence.end();
  const isGone = async (): Promise<true | undefined> => {
    const left = await account.schedulesNamed(name.random);
    return left.every((each) => each.name.endsWith("-recheck")) ? true : undefined;
  };
  const gone = await waitFor(time, minutes(2), isGone);
  return gone === true
    ? fine("the schedule that fired is gone")
    : differs("the schedule that fired was still there two minutes later");
}

/** Scheduler invokes the sweeper every five minutes. */
export async function sweepRuns({ account, evidence, stack, time }: World): Promise<Outcome> {
  const group = logGroupOf(stack, "sweeper");
  const line = await waitFor(time, minutes(7), async () => {
    const [found] = await account.logLines(
      group,
      auditWords("sweep.finished"),
      plus(evidence.since, minutes(-10)),
    );
    return found;
  });
  return line === undefined
    ? differs("no sweep has finished in the last ten minutes, nor in seven more")
    : fine(`a sweep finished at ${JSON.parse(line).timestamp}`);
}
