import {
  FilterPattern,
  type ILogGroup,
  type ILogSubscriptionDestination,
  SubscriptionFilter,
} from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { AUDIT_STARTS } from "../../core/audit.ts";
import type { Watched } from "./watched.ts";

/** A CloudWatch Logs filter that matches the audit lines only. */
export const AUDIT_FILTER = `{ ${AUDIT_STARTS.map((start) => `$.message = "${start}*"`).join(" || ")} }`;

/** Sends the audit lines of one database to a destination. */
export class AuditSubscription extends Construct {
  /** Created by `DynamicDatabase.shipAuditTo`. */
  constructor(
    scope: Construct,
    id: string,
    destination: ILogSubscriptionDestination,
    watched: Watched,
  ) {
    super(scope, id);
    const filterPattern = FilterPattern.literal(AUDIT_FILTER);
    const send = (name: string, logGroup: ILogGroup): void => {
      new SubscriptionFilter(this, `Filter${name}`, { logGroup, destination, filterPattern });
    };
    for (const [index, logGroup] of watched.logGroups.entries()) send(String(index), logGroup);
    watched.eachRotated(({ name, rotator }) => send(`-${name}`, rotator.logGroup));
  }
}
