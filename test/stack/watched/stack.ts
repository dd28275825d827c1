import { EventBus } from "aws-cdk-lib/aws-events";
import { Effect, PolicyStatement, type Role } from "aws-cdk-lib/aws-iam";
import type { DynamicDatabase } from "../../../lib/index.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import shipped from "../../../mayfly.config.ts";
import { type Resources, resourcesOf } from "../../lib/synthesized.ts";
import { synthesizeHere } from "../../support/assembly.ts";
import { type ShippedStack, startShipped } from "../../support/stack.ts";

/** The shipped stack with everything to watch it by, and an operator that cannot make schedules. */
export interface WatchedStack extends ShippedStack {
  readonly resources: Resources;
}

const { path: outdir, remove } = tempFolder("watched");
let started: Promise<WatchedStack> | undefined;

/** One for all parts of the test file. */
export const watched = (): Promise<WatchedStack> => (started ??= start());

export async function stopWatched(): Promise<void> {
  await (await started)?.stop();
  remove();
}

async function start(): Promise<WatchedStack> {
  const config = {
    ...shipped,
    alarms: { topicArn: "arn:aws:sns:eu-west-1:123456789012:on-call" },
    dashboard: true,
  };
  const made = synthesizeHere(outdir, config, (stack) => {
    const database = stack.node.findChild("orders") as DynamicDatabase;
    const siem = { arn: "arn:aws:firehose:eu-west-1:123456789012:deliverystream/siem" };
    database.shipAuditTo("Siem", { bind: () => siem });
    database.sendAuditEvents({ bus: new EventBus(stack, "Bus", { eventBusName: "audit" }) });
    const functions = database.node.findChild("Functions");
    (functions.node.findChild("Operator").node.findChild("Role") as Role)
      // Scheduler out of reach, for one function
      .addToPolicy(
        new PolicyStatement({
          effect: Effect.DENY,
          actions: ["scheduler:CreateSchedule"],
          resources: ["*"],
        }),
      );
  });
  const stack = await startShipped({ assembly: outdir });
  await stack.runner.rotations.finished();
  return { ...stack, resources: resourcesOf(made) };
}
