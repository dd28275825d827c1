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
  /** The role of the schedules. Only this role may send. */
  readonly sender: IRole;
  /** The revoker's time limit. */
  readonly timeout: Duration;
}

/** A message is visible again after this many time limits, as Lambda's guide recommends. */
const VISIBILITY_FACTOR = 6;
/** Together with the visibility timeout this gives half an hour. */
const MAX_RECEIVES = 5;

/** Every action of Lambda on a queue, with the role of the queue's function. */
const READING = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"];

/** The queue between the schedules and the revoker. It limits how many revokers run at once. */
export class RevocationQueue extends Construct {
  readonly queue: Queue;
  /** Messages that the revoker could not process. */
  readonly failed: Queue;

  constructor(scope: Construct, id: string, { sender, timeout }: RevocationQueueProps) {
    super(scope, id);
    this.failed = makeFailureQueue(this, "FailedRevocations");
    this.queue = new Queue(this, "Queue", {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      visibilityTimeout: Duration.seconds(VISIBILITY_FACTOR * timeout.toSeconds()),
      // by then, sweeps have revoked the leases of unread messages
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
        // also denies a principal without an ARN
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
      // AWS's minimum, and the revoker's reservation: with more, Lambda would only throttle
      maxConcurrency: CONCURRENCY.revoker,
      reportBatchItemFailures: true,
    });
  }
}
