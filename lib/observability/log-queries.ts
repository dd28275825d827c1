import { CfnQueryDefinition } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import type { Watched } from "./watched.ts";

/**
 * CloudWatch Logs Insights queries over a database's functions, by their names in the console.
 * What is written in capitals is for the reader to replace.
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

/** The queries, saved in the account: `mayfly-<stack>-<tag>/<name>`. They cost what they scan. */
export class LogQueries extends Construct {
  /** Made by `DynamicDatabase.addLogQueries`. */
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
