import { Duration } from "aws-cdk-lib";
import type { IMetric } from "aws-cdk-lib/aws-cloudwatch";
import type { IEventBus } from "aws-cdk-lib/aws-events";
import { Code } from "aws-cdk-lib/aws-lambda";
import { LambdaDestination } from "aws-cdk-lib/aws-logs-destinations";
import { Construct } from "constructs";
import { bundleFolder } from "../functions/function-code.ts";
import { MayflyFunction } from "../functions/mayfly-function.ts";
import { makeFailureQueue } from "../functions/revocation-schedules.ts";
import { AuditSubscription } from "./audit-subscription.ts";
import { type Watched, waitingIn } from "./watched.ts";

/** Properties of AuditEvents. */
export interface AuditEventsProps {
  /** The bus that receives the events. In the stack's Region: `PutEvents` reaches no other. */
  readonly bus: IEventBus;
}

/**
 * Sends the audit lines of one database to an event bus. A function outside the VPC reads them from
 * the logs, so the other functions need no endpoint for EventBridge and cannot fail because of it.
 */
export class AuditEvents extends Construct {
  /** Number of batches of lines that could not be sent. */
  readonly unsent: IMetric;

  /** Created by `DynamicDatabase.sendAuditEvents`. */
  constructor(
    scope: Construct,
    id: string,
    { bus }: AuditEventsProps,
    { assets, watched }: { readonly assets: string; readonly watched: Watched },
  ) {
    super(scope, id);
    const forwarder = new MayflyFunction(this, "Forwarder", {
      functionName: watched.nameOf("forwarder"),
      description: `Mayfly: sends audit lines of ${watched.database} to an event bus`,
      code: Code.fromAsset(bundleFolder(assets, "forwarder")),
      timeout: Duration.seconds(60),
      environment: { EVENT_BUS_ARN: bus.eventBusArn },
    });
    forwarder.allow("SendEvents", ["events:PutEvents"], [bus.eventBusArn]);
    const queue = makeFailureQueue(this, "Unsent");
    forwarder.allow("KeepUnsent", ["sqs:SendMessage"], [queue.queueArn]);
    forwarder.lambda.configureAsyncInvoke({
      retryAttempts: 2,
      // CDK's SqsDestination would allow two more actions, which nothing uses
      onFailure: { bind: () => ({ destination: queue.queueArn }) },
    });
    this.unsent = waitingIn(queue, "unsent audit events");
    const destination = new LambdaDestination(forwarder.lambda);
    new AuditSubscription(this, "Subscription", destination, watched);
  }
}
