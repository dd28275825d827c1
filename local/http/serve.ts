import type { Account } from "../account.ts";
import { makeCloudFormation } from "../cloudformation/cloudformation.ts";
import type { Stacks } from "../cloudformation/stacks.ts";
import { makeCloudWatch } from "../cloudwatch/cloudwatch.ts";
import { makeIam } from "../iam/iam.ts";
import { makeSts } from "../iam/sts.ts";
import { type LogEvents, makeLogs } from "../logs/logs.ts";
import type { Services } from "../services.ts";
import { type Gateway, startGateway } from "./gateway.ts";

/** A line that a function printed. */
export interface LogLine {
  readonly functionName: string;
  readonly line: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

interface Served {
  readonly account: Account;
  readonly services: Services;
  readonly stacks: Stacks;
  readonly logs: readonly LogLine[];
  readonly onFault: (line: string) => void;
}

/** Serve all services at one address. */
export function serve({ account, stacks, services, logs, onFault }: Served): Promise<Gateway> {
  const { access, clock, eventBridge, functions, identities, lambda, rds, scheduler } = services;
  const { secrets, sqs } = services;
  const { providers, tokens, unsigned } = services.workloads;
  const sts = makeSts({ account, access, clock, identities, providers, tokens });
  const eventsOf: LogEvents = (group) => {
    const names = functions.loggingTo(group);
    if (names.length === 0) return undefined;
    return logs
      .filter(({ functionName }) => names.includes(functionName))
      .map(({ line: message, timestamp }) => ({ message, timestamp }));
  };
  return startGateway({
    account,
    identities,
    now: () => clock.now(),
    onFault,
    unsigned: [sts.unsigned, ...unsigned],
    services: {
      cloudformation: makeCloudFormation(account, access, stacks),
      events: eventBridge.service,
      iam: makeIam(access, identities),
      lambda: lambda.service,
      logs: makeLogs(account, access, eventsOf),
      monitoring: makeCloudWatch({ access, clock, sqs }),
      rds: rds.service,
      scheduler: scheduler.service,
      secretsmanager: secrets.service,
      sqs: sqs.service,
      sts: sts.service,
    },
  });
}
