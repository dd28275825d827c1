import {
  FilterPattern,
  type ILogSubscriptionDestination,
  SubscriptionFilter,
} from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { Watched } from "./watched.ts";

/** What the audit events' names begin with; everything else in the logs stays there. */
const AUDITED = ["lease.", "role.", "request.", "sweep.", "converge.", "database."];

/** CloudWatch's filter for the audit lines. */
export const AUDIT_FILTER = `{ ${AUDITED.map((start) => `$.message = "${start}*"`).join(" || ")} }`;

/** Audit lines of one database's functions, sent on as they are written. */
export class AuditSubscription extends Construct {
  /** Made by `DynamicDatabase.shipAuditTo`. */
  constructor(
    scope: Construct,
    id: string,
    destination: ILogSubscriptionDestination,
    watched: Watched,
  ) {
    super(scope, id);
    const filterPattern = FilterPattern.literal(AUDIT_FILTER);
    for (const [index, logGroup] of watched.logGroups.entries())
      new SubscriptionFilter(this, `Filter${index}`, { logGroup, destination, filterPattern });
  }
}
