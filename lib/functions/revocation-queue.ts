import { Duration, RemovalPolicy } from "aws-cdk-lib";
import { Effect, type IRole, PolicyStatement, StarPrincipal } from "aws-cdk-lib/aws-iam";
import { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { CONCURRENCY, MESSAGES_AT_ONCE } from "../../core/concurrency.ts";
import type { MayflyFunction } from "./mayfly-function.ts";
import { makeFailureQueue } from "./revocation-schedules.ts";

/** Properties of RevocationQueue. */
export interface RevocationQueueProps {
  /** The role of the schedules: nobody else sends. */
  readonly sender: IRole;
  /** The revoker's time limit. */
  readonly timeout: Duration;
}

/** Of the function's time limit, before a message shows again: what Lambda's guide asks for. */
const VISIBILITY_FACTOR = 6;
/** With the visibility timeout, half an hour. */
const MAX_RECEIVES = 5;

/** What Lambda does with a queue as its function's role, to the last action. */
const READING = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/** The queue between the schedules of leases and the revoker, which bounds how many of it run. */
export class RevocationQueue extends Construct {
  readonly queue: Queue;
  /** What the revoker could not do. */
  readonly failed: Queue;

  constructor(scope: Construct, id: string, { sender, timeout }: RevocationQueueProps) {
    super(scope, id);
    this.failed = makeFailureQueue(this, "FailedRevocations");
    this.queue = new Queue(this, "Queue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(VISIBILITY_FACTOR * timeout.toSeconds()),
      // sweeps have revoked by then what nobody has read
      retentionPeriod: Duration.days(1),
      removalPolicy: RemovalPolicy.DESTROY,
      deadLetterQueue: { queue: this.failed, maxReceiveCount: MAX_RECEIVES },
    });
    this.queue.addToResourcePolicy(
      new PolicyStatement({
        sid: "OnlySchedules",
        effect: Effect.DENY,
        principals: [new StarPrincipal()],
        actions: ["sqs:SendMessage"],
        resources: [this.queue.queueArn],
        // a missing ARN is nobody's too
        conditions: { StringNotEquals: { "aws:PrincipalArn": sender.roleArn } },
      }),
    );
  }

  /** Let Lambda read the queue for the revoker. */
  feed(revoker: MayflyFunction): EventSourceMapping {
    revoker.allow("ReadRevocations", READING, [this.queue.queueArn]);
    return new EventSourceMapping(this, "Mapping", {
      eventSourceArn: this.queue.queueArn,
      target: revoker.lambda,
      batchSize: MESSAGES_AT_ONCE,
      // AWS's least, and all that may be reserved: more would be read only to be throttled
      maxConcurrency: CONCURRENCY.revoker,
      reportBatchItemFailures: true,
    });
  }
}
