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
  /** Where the events go. In the stack's Region, for `PutEvents` has no other. */
  readonly bus: IEventBus;
}

/**
 * Audit lines of one database's functions as events on a bus. They are read from the logs by a
 * function outside the VPC, so that the others need no further endpoint and cannot fail for it.
 */
export class AuditEvents extends Construct {
  /** Batches of lines that could not be sent. */
  readonly unsent: IMetric;

  /** Made by `DynamicDatabase.sendAuditEvents`. */
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
      // CDK's own destination would add two actions on the queue that nothing uses
      onFailure: { bind: () => ({ destination: queue.queueArn }) },
    });
    this.unsent = waitingIn(queue, "unsent audit events");
    const destination = new LambdaDestination(forwarder.lambda);
    new AuditSubscription(this, "Subscription", destination, watched);
  }
}
