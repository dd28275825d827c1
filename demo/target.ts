import { CloudWatchLogsClient, FilterLogEventsCommand } from "@aws-sdk/client-cloudwatch-logs";
import type { ClientSettings } from "../bin/aws/clients.ts";
import type { Kills } from "./kills.ts";

/** The stack that the demo uses, on AWS or on this machine, with an administrator's keys. */
export interface DemoTarget {
  /** What the SDK's clients are made with. */
  readonly clients: ClientSettings;
  readonly stackName: string;
  /** PEM of the authority that the database's certificate is checked against. */
  readonly ca: string;
  /** How late Scheduler may fire. Unit: milliseconds. */
  readonly precision: number;
  /** Only on this machine. */
  readonly machine?: Machine;
}

/** What only a stack on this machine allows. */
export interface Machine {
  readonly kills: Kills;
  /** File of the authority that the database's certificate is checked against. */
  readonly caFile: string;
  readonly restartDatabase: () => Promise<void>;
}

/** The receipt of a lease, from the audit line that the revoker logged; `undefined` until it has. */
export async function receiptOf(
  { clients }: DemoTarget,
  logGroupName: string,
  leaseId: string,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const { events } = await new CloudWatchLogsClient(clients).send(
    new FilterLogEventsCommand({ logGroupName, filterPattern: `"lease.revoked" "${leaseId}"` }),
  );
  const [line] = events ?? [];
  return line?.message === undefined ? undefined : JSON.parse(line.message).receipt;
}
