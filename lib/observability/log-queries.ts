import { CfnQueryDefinition } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { Watched } from "./watched.ts";

/**
 * CloudWatch Logs Insights queries over the logs of a database's functions. The keys are their
 * names in the console. Replace the words in capitals before you run a query.
 */
export const LOG_QUERIES = {
  "who had a user": `fields @timestamp, message, consumer, role, actor, expiresAt, receipt.state, receipt.droppedAt, function_request_id
| filter leaseId like "USERNAME"
| sort @timestamp asc
| limit 10000`,
  "everything of a consumer": `fields @timestamp, message, leaseId, actor, expiresAt, receipt.state, errorType, reason, function_request_id
| filter consumer = "CONSUMER" or leaseId like /_CONSUMER_[a-z0-9]+$/ or function_arn like ":CONSUMER--"
| sort @timestamp asc
| limit 10000`,
  "revocations slower than 60 s": `fields @timestamp, leaseId, actor, receipt.lagSeconds, receipt.expiresAt, receipt.latchedAt, receipt.droppedAt
| filter message = "lease.revoked" and receipt.lagSeconds > 60
| sort receipt.lagSeconds desc
| limit 1000`,
} as const;

/**
 * Saves the queries in the account as `mayfly-<stack>-<tag>/<name>`. Saving is free; CloudWatch
 * charges for the data that a query scans.
 */
export class LogQueries extends Construct {
  /** Created by `DynamicDatabase.addLogQueries`. */
  constructor(scope: Construct, id: string, watched: Watched) {
    super(scope, id);
    for (const [name, queryString] of Object.entries(LOG_QUERIES))
      new CfnQueryDefinition(this, name, {
        name: `${watched.nameOf("queries")}/${name}`,
        queryString,
        logGroupNames: watched.logGroups.map(({ logGroupName }) => logGroupName),
      });
  }
}
