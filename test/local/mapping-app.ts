import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { CfnOutput, Duration, type Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as scheduler from "aws-cdk-lib/aws-scheduler";
import * as sqs from "aws-cdk-lib/aws-sqs";
import { type SynthesizedApp, synthesize } from "./small-app.ts";

/**
 * What the worker does with the bodies of its messages: `fail` alone comes again, with `throw` or
 * `badly` the whole batch; `wait` makes it take its time.
 */
const WORKER = `
export const handler = async (event) => {
  console.log("batch", JSON.stringify(event));
  const requested = event.Records.map(({ messageId, body }) => ({ messageId, ...JSON.parse(body) }));
  const does = (what) => requested.some((each) => each.do === what);
  if (does("wait")) await new Promise((resolve) => setTimeout(resolve, 400));
  if (does("throw")) throw new Error("no good");
  console.log("done", event.Records.length);
  const failed = requested.filter((each) => each.do === "fail").map(({ messageId }) => messageId);
  if (does("badly")) return { batchItemFailures: [{ itemIdentifier: "another" }] };
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
};
`;

export interface MappingAppOptions {
  /** What the worker may do with the queue. @default - what Lambda needs */
  readonly actions?: readonly string[];
  /** Properties of the mapping that are others than usual. */
  readonly mapping?: Partial<lambda.CfnEventSourceMappingProps>;
  readonly visibilityTimeout?: Duration;
}

const build =
  ({ actions, mapping, visibilityTimeout = Duration.minutes(6) }: MappingAppOptions) =>
  (stack: Stack, code: string): void => {
    writeFileSync(join(code, "index.mjs"), WORKER);
    const role = (id: string, service: string): iam.Role =>
      new iam.Role(stack, id, { assumedBy: new iam.ServicePrincipal(`${service}.amazonaws.com`) });
    const dead = new sqs.Queue(stack, "Dead");
    const undelivered = new sqs.Queue(stack, "Undelivered");
    const queue = new sqs.Queue(stack, "Work", {
      visibilityTimeout,
      deadLetterQueue: { queue: dead, maxReceiveCount: 3 },
    });
    const sender = role("Sender", "scheduler");
    const outsider = role("Outsider", "scheduler");
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        principals: [new iam.StarPrincipal()],
        actions: ["sqs:SendMessage"],
        resources: [queue.queueArn],
        conditions: { StringNotEquals: { "aws:PrincipalArn": sender.roleArn } },
      }),
    );
    for (const each of [sender, outsider])
      each.addToPolicy(
        new iam.PolicyStatement({
          actions: ["sqs:SendMessage"],
          resources: [queue.queueArn, undelivered.queueArn],
        }),
      );
    const worker = new lambda.Function(stack, "Worker", {
      runtime: lambda.Runtime.NODEJS_24_X,
      handler: "index.handler",
      code: lambda.Code.fromAsset(code),
      role: role("WorkerRole", "lambda"),
      timeout: Duration.seconds(20),
    });
    worker.addToRolePolicy(
      new iam.PolicyStatement({
        actions: [
          ...(actions ?? ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]),
        ],
        resources: [queue.queueArn],
      }),
    );
    new lambda.CfnEventSourceMapping(stack, "Mapping", {
      eventSourceArn: queue.queueArn,
      functionName: worker.functionName,
      batchSize: 4,
      maximumBatchingWindowInSeconds: 1,
      scalingConfig: { maximumConcurrency: 2 },
      functionResponseTypes: ["ReportBatchItemFailures"],
      ...mapping,
    }).node.addDependency(worker);
    new scheduler.ScheduleGroup(stack, "Group", { scheduleGroupName: "group" });
    const outputs = {
      QueueArn: queue.queueArn,
      DeadArn: dead.queueArn,
      UndeliveredArn: undelivered.queueArn,
      SenderArn: sender.roleArn,
      OutsiderArn: outsider.roleArn,
      WorkerName: worker.functionName,
    };
    for (const [id, value] of Object.entries(outputs))
      new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
  };

/** A stack with a queue, a function that reads it, and schedules that may fill it. */
export const synthesizeMapping = (options: MappingAppOptions = {}): SynthesizedApp =>
  synthesize(build(options));
