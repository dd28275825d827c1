import type { Finding } from "../../../core/doctor/finding.ts";
import { type Found, fine } from "../../../core/doctor/found.ts";
import type { StackResource } from "../../aws/stack-state.ts";
import { type AccountReads, type FunctionState, NotRead } from "./account-reads.ts";
import {
  judgeAlarm,
  judgeFunction,
  judgeGroup,
  judgeMapping,
  judgeQueue,
  judgeRole,
  judgeRotation,
  judgeStack,
  judgeSweep,
  notRead,
} from "./account-rules.ts";

/** The checks of an account by name. */
export const ACCOUNT_CHECKS = [
  "stack",
  "function-state",
  "event-source",
  "sweep-schedule",
  "schedule-group",
  "scheduler-role",
  "queues",
  "rotation",
  "alarms",
] as const;
type Check = (typeof ACCOUNT_CHECKS)[number];

interface Account {
  readonly reads: AccountReads;
  readonly parts: readonly StackResource[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Found by one check; a call that fails is found too. */
async function looked(
  subject: string,
  look: () => Promise<Found | readonly Found[]>,
): Promise<readonly Found[]> {
  try {
    return [await look()].flat();
  } catch (error) {
    if (!(error instanceof NotRead)) throw error;
    return [notRead(subject, error)];
  }
}

const each = async (
  ids: readonly string[],
  look: (id: string) => Promise<Found | readonly Found[]>,
): Promise<readonly Found[]> => {
  const found: Found[] = [];
  for (const id of ids) found.push(...(await looked(id, () => look(id))));
  return found;
};

/** Look at a deployed stack with the caller's permissions. Changes nothing. */
export async function lookAtAccount(
  reads: AccountReads,
  stackNames: readonly string[],
  now: number,
): Promise<readonly Finding[]> {
  const parts: StackResource[] = [];
  const stack = await each(stackNames, async (name) => {
    const state = await reads.stack(name);
    parts.push(...state.resources);
    return judgeStack(name, state);
  });
  const account: Account = { reads, parts, now };
  const found: Readonly<Record<Check, readonly Found[]>> = {
    stack,
    ...(await lookAtFunctions(account)),
    ...(await lookAtSchedules(account)),
    queues: await each(idsOf(account, "AWS::SQS::Queue"), async (url) =>
      judgeQueue(url, await reads.queue(url)),
    ),
    rotation: await each(idsOf(account, "AWS::SecretsManager::RotationSchedule"), async (arn) =>
      judgeRotation(arn, await reads.rotation(arn), now),
    ),
    alarms: await lookAtAlarms(account),
  };
  return ACCOUNT_CHECKS.flatMap((check) =>
    found[check].map((finding): Finding => ({ area: "aws", check, ...finding })),
  );
}

const idsOf = ({ parts }: Pick<Account, "parts">, type: string): readonly string[] => [
  ...new Set(parts.filter((part) => part.type === type).map(({ physicalId }) => physicalId)),
];

const nameIn = (arn: string): string => arn.split("/").at(-1) ?? arn;

/** Mayfly's functions have this variable; those of CDK and of applications do not. */
const OF_MAYFLY = "SCHEDULER_ROLE_ARN";

async function lookAtFunctions(
  account: Account,
): Promise<Record<"function-state" | "event-source" | "scheduler-role", readonly Found[]>> {
  const { reads } = account;
  const states: FunctionState[] = [];
  const functions = await each(idsOf(account, "AWS::Lambda::Function"), async (name) => {
    const state = await reads.functionState(name);
    states.push(state);
    return judgeFunction(name, state);
  });
  const wanted = new Map(
    states.flatMap(({ variables }) => {
      const { [OF_MAYFLY]: role, REVOCATION_QUEUE_ARN: queue } = variables;
      return role === undefined || queue === undefined ? [] : [[role, queue] as const];
    }),
  );
  return {
    "function-state": functions,
    "event-source": await each(idsOf(account, "AWS::Lambda::EventSourceMapping"), async (id) =>
      judgeMapping(id, await reads.mappingState(id)),
    ),
    "scheduler-role": await each([...wanted.keys()], async (arn) =>
      judgeRole(arn, await reads.role(nameIn(arn)), {
        action: "sqs:SendMessage",
        resource: wanted.get(arn) ?? "",
      }),
    ),
  };
}

async function lookAtSchedules(
  account: Account,
): Promise<Record<"sweep-schedule" | "schedule-group", readonly Found[]>> {
  const { reads } = account;
  return {
    "sweep-schedule": await each(idsOf(account, "AWS::Scheduler::Schedule"), async (id) => {
      const sweep = await reads.schedule(nameIn(id));
      const role = await looked(sweep.roleArn, async () =>
        judgeRole(sweep.roleArn, await reads.role(nameIn(sweep.roleArn)), {
          action: "lambda:InvokeFunction",
          resource: sweep.targetArn,
        }),
      );
      return [judgeSweep(nameIn(id), sweep), ...role];
    }),
    "schedule-group": await each(idsOf(account, "AWS::Scheduler::ScheduleGroup"), async (id) =>
      judgeGroup(nameIn(id), await reads.scheduleGroupState(nameIn(id))),
    ),
  };
}

async function lookAtAlarms(account: Account): Promise<readonly Found[]> {
  const names = idsOf(account, "AWS::CloudWatch::Alarm");
  if (names.length === 0) return [fine("alarms", "the stack has none; addAlarms makes them")];
  return looked(`${names.length} alarms`, async () => {
    const states = await account.reads.alarms(names);
    const ringing = states.filter(({ state }) => state === "ALARM");
    return ringing.length === 0
      ? fine(`${names.length} alarms`, "none is in ALARM")
      : ringing.map(judgeAlarm);
  });
}
