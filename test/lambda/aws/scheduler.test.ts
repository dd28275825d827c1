import { SchedulerClient, SchedulerServiceException } from "@aws-sdk/client-scheduler";
import { mockClient } from "aws-sdk-client-mock";
import { expect, onTestFinished, test } from "vitest";
import type { AuditEvent } from "../../../core/audit.ts";
import type { LeaseDeps } from "../../../core/leases/lease-ports.ts";
import { scheduleRevocation } from "../../../core/leases/revocation/schedules.ts";
import type { Instant } from "../../../core/time.ts";
import { eventBridgeScheduler } from "../../../lambda/aws/scheduler.ts";

const name = {
  tag: "abcd",
  role: "readonly",
  consumer: "user-service",
  digest: "00000000",
  shard: 0,
  random: "aaaabbbbcccc",
};
const lease = {
  username: "mf_abcd_readonly_user-service_00000000aaaaaabbbbcccc",
  incarnation: "16500",
  name,
};

test("if IAM denies a schedule, the lease's audit line names the denied call", async () => {
  const client = mockClient(SchedulerClient);
  onTestFinished(() => client.restore());
  const [fault, message] = ["AccessDeniedException", "User: arn:aws:sts::1 is not authorized"];
  client
    .onAnyCommand()
    .rejects(
      new SchedulerServiceException({ name: fault, message, $fault: "client", $metadata: {} }),
    );
  const audit: AuditEvent[] = [];
  const target = { group: "leases", queueArn: "q", roleArn: "r", deadLetterArn: "d" };
  const deps = {
    database: "orders",
    scheduler: eventBridgeScheduler(new SchedulerClient({ region: "eu-central-1" }), target),
    telemetry: { audit: (event: AuditEvent) => void audit.push(event), measure: () => {} },
    time: { now: () => 0, wait: async () => {} },
  } as unknown as LeaseDeps;
  const expected = {
    errorType: "AwsRefusedError",
    reason:
      "schedule aaaabbbbcccc-1700000001 could not be created (AccessDeniedException on scheduler:CreateSchedule); check the function's permission scheduler:CreateSchedule, and the policy, key and quota of what it called",
  };
  expect(await scheduleRevocation(deps, lease, 1_700_000_001_000 as Instant)).toEqual(expected);
  expect(audit).toEqual([
    {
      event: "schedule.failed",
      leaseId: `orders/readonly/${lease.username}`,
      schedule: "aaaabbbbcccc-1700000001",
      ...expected,
    },
  ]);
});
