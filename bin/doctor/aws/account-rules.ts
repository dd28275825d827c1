import { broken, doubtful, type Found, fine, unclear } from "../../../core/doctor/found.ts";
import type { StackState } from "../../aws/stack-state.ts";
import type {
  AlarmState,
  FunctionState,
  NotRead,
  QueueState,
  RoleState,
  RotationState,
  ScheduleState,
} from "./account-reads.ts";

const DEPLOY = "deploy the stack again, which makes it as it was";

/** What to say of a call that failed. */
export function notRead(subject: string, error: NotRead): Found {
  if (error.isGone) return broken(subject, `it does not exist (${error.message})`, DEPLOY);
  if (error.isDenied)
    return unclear(
      subject,
      `you may not look at it (${error.message})`,
      `allow ${error.action} to yourself, and run the doctor again`,
    );
  return unclear(subject, `it could not be looked at (${error.message})`, "run the doctor again");
}

export function judgeStack(name: string, { status, resources }: StackState): Found {
  const bad = resources.filter((each) => /FAILED/.test(each.status));
  const evidence = `${status}, ${resources.length} resources`;
  if (/^(?:CREATE|UPDATE|IMPORT)_COMPLETE$/.test(status) && bad.length === 0)
    return fine(name, evidence);
  if (status.endsWith("IN_PROGRESS"))
    return doubtful(
      name,
      evidence,
      "wait until the deployment has ended, and run the doctor again",
    );
  const names = bad.map(({ logicalId }) => logicalId).slice(0, 3);
  const what = names.length === 0 ? evidence : `${evidence}; failed: ${names.join(", ")}`;
  return status.endsWith("ROLLBACK_COMPLETE")
    ? doubtful(name, `${what}: the last deployment was taken back`, "mend what it says, and deploy")
    : broken(
        name,
        what,
        `mend what its events say (aws cloudformation describe-stack-events --stack-name ${name}), and deploy`,
      );
}

export function judgeFunction(name: string, { state, update, reason }: FunctionState): Found {
  const evidence = `State ${state}, LastUpdateStatus ${update}${reason === undefined ? "" : `: ${reason}`}`;
  if (state === "Failed" || update === "Failed")
    return broken(
      name,
      evidence,
      "mend what the reason names (subnets, security group, key), and deploy",
    );
  if (state === "Pending" || update === "InProgress")
    return doubtful(name, evidence, "wait a minute, and run the doctor again");
  return fine(name, evidence);
}

export const judgeMapping = (id: string, state: string): Found =>
  state === "Enabled"
    ? fine(id, "Enabled")
    : broken(
        id,
        `${state}: the revoker gets no messages, and leases end at the next sweep`,
        `set Enabled to true: aws lambda update-event-source-mapping --uuid ${id} --enabled`,
      );

export function judgeSweep(
  name: string,
  { state, targetArn }: Pick<ScheduleState, "state" | "targetArn">,
): Found {
  const evidence = `State ${state}, target ${targetArn}`;
  if (state !== "ENABLED")
    return broken(
      name,
      `${evidence}: nothing finds what other functions missed`,
      `set State to ENABLED: ${DEPLOY}`,
    );
  return targetArn.includes(":function:")
    ? fine(name, evidence)
    : broken(name, `${evidence}: that is no function`, DEPLOY);
}

export const judgeGroup = (name: string, state: string): Found =>
  state === "ACTIVE"
    ? fine(name, "ACTIVE")
    : broken(name, `${state}: no lease gets a schedule, and leases end at the next sweep`, DEPLOY);

interface Statement {
  readonly Effect?: string;
  readonly Principal?: { readonly Service?: string | readonly string[] };
  readonly Action?: string | readonly string[];
  readonly Resource?: string | readonly string[];
}

function statementsIn(text: string): readonly Statement[] {
  const { Statement: found = [] } = JSON.parse(text) as {
    readonly Statement?: Statement | readonly Statement[];
  };
  return [found].flat();
}

const has = (value: string | readonly string[] | undefined, wanted: string): boolean =>
  [value ?? []].flat().includes(wanted);

/** Whether Scheduler may assume a role, and the role may do one thing. */
export function judgeRole(
  name: string,
  { trust, policies }: RoleState,
  needs: { readonly action: string; readonly resource: string },
): Found {
  const service = "scheduler.amazonaws.com";
  const isTrusted = statementsIn(trust).some(
    ({ Effect, Principal, Action }) =>
      Effect === "Allow" && has(Principal?.Service, service) && has(Action, "sts:AssumeRole"),
  );
  if (!isTrusted)
    return broken(
      name,
      `its trust policy does not let ${service} assume it: schedules do nothing`,
      `set Principal.Service to ${service} and Action to sts:AssumeRole in its trust policy: ${DEPLOY}`,
    );
  const may = policies
    .flatMap(statementsIn)
    .some(
      ({ Effect, Action, Resource }) =>
        Effect === "Allow" && has(Action, needs.action) && has(Resource, needs.resource),
    );
  return may
    ? fine(name, `${service} may assume it; it may ${needs.action}`)
    : broken(
        name,
        `it may not ${needs.action} on ${needs.resource}: schedules do nothing`,
        `allow ${needs.action} on ${needs.resource} in its policy: ${DEPLOY}`,
      );
}

/** Seconds. A revocation is read within one; the revoker takes at most 60 for a batch. */
const WAITS_TOO_LONG = 180;

export function judgeQueue(url: string, queue: QueueState): Found {
  const { arn, waiting, inFlight, isDeadLetters, oldest } = queue;
  const subject = arn.split(":").at(-1) ?? url;
  const age = oldest === undefined ? "" : `, the oldest for ${oldest} s`;
  const evidence = `${waiting} messages wait${age}, ${inFlight} are in work`;
  if (isDeadLetters)
    return waiting === 0
      ? fine(subject, "no dead letters")
      : broken(
          subject,
          `${evidence}: revocations that failed every time`,
          `see why in the revoker's log, then: aws sqs start-message-move-task --source-arn ${arn}; the sweep has revoked the leases meanwhile, or mayfly status says which are overdue`,
        );
  return oldest !== undefined && oldest >= WAITS_TOO_LONG
    ? broken(
        subject,
        `${evidence}: leases end late`,
        "see the revoker's log and its throttles, and set reserveConcurrency as docs/operating.md says",
      )
    : fine(subject, evidence);
}

const DAY = 86_400_000;
const HOUR = 3_600_000;
/** A secret that is older than this many periods is overdue, as for the sweeper. */
const OVERDUE = 1.5;

/** `now` in milliseconds since the epoch. */
export function judgeRotation(arn: string, state: RotationState, now: number): Found {
  const { enabled, rotatedAt, nextAt, everyDays, pending } = state;
  const when = (time: number | undefined): string =>
    time === undefined ? "never" : new Date(time).toISOString();
  const evidence = `LastRotatedDate ${when(rotatedAt)}, NextRotationDate ${when(nextAt)}`;
  const again = `aws secretsmanager rotate-secret --secret-id ${arn}`;
  if (!enabled)
    return broken(
      arn,
      `RotationEnabled is false; ${evidence}`,
      `set RotationEnabled to true: ${DEPLOY}`,
    );
  if (pending && (rotatedAt === undefined || now - rotatedAt > HOUR))
    return broken(
      arn,
      `a version is stuck at AWSPENDING; ${evidence}`,
      `see why in the rotator's log, mend it, and begin again: ${again}`,
    );
  const isOverdue =
    (nextAt !== undefined && now - nextAt > DAY) ||
    (everyDays !== undefined &&
      rotatedAt !== undefined &&
      now - rotatedAt > OVERDUE * everyDays * DAY);
  return isOverdue
    ? broken(
        arn,
        `it is overdue; ${evidence}`,
        `see why in the rotator's log, and rotate it: ${again}`,
      )
    : fine(arn, evidence);
}

export function judgeAlarm({ name, state, reason }: AlarmState): Found {
  if (state === "ALARM")
    return broken(name, `ALARM: ${reason}`, `do what docs/operating.md says of ${name}`);
  return fine(name, state);
}
