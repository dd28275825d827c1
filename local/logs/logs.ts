import type { FilterLogEventsRequest } from "@aws-sdk/client-cloudwatch-logs";
import { type Account, arnOf } from "../account.ts";
import { AwsError, notImplemented } from "../http/aws-error.ts";
import { jsonService, operation, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";

/** A line in CloudWatch Logs. */
export interface LogEvent {
  readonly message: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}

/** The events of a log group, oldest first. Undefined if no function logs to it. */
export type LogEvents = (logGroupName: string) => readonly LogEvent[] | undefined;

/**
 * Amazon CloudWatch Logs: only FilterLogEvents, with a pattern of quoted terms that must all occur
 * in a line.
 */
export function makeLogs(account: Account, access: Access, eventsOf: LogEvents): Service {
  const filter = operation<FilterLogEventsRequest>(
    async ({ logGroupName = "", filterPattern = "", startTime = 0, endTime, ...rest }, caller) => {
      const [other] = Object.keys(rest);
      if (other !== undefined) throw notImplemented("logs", `FilterLogEvents with ${other}`);
      const resource = `${arnOf(account, "logs", `log-group:${logGroupName}`)}:*`;
      await access.authorize(caller, { action: "logs:FilterLogEvents", resource });
      const events = eventsOf(logGroupName);
      if (events === undefined)
        throw new AwsError("ResourceNotFoundException", "The specified log group does not exist.");
      const terms = quotedTerms(filterPattern);
      return {
        events: events
          .filter(({ timestamp }) => timestamp >= startTime && timestamp <= (endTime ?? Infinity))
          .filter(({ message }) => terms.every((term) => message.includes(term))),
      };
    },
  );
  return jsonService("logs", { FilterLogEvents: filter });
}

function quotedTerms(pattern: string): readonly string[] {
  if (!/^(\s*"[^"]*"\s*)*$/.test(pattern))
    throw new AwsError(
      "InvalidParameterException",
      `the local runner knows filter patterns of quoted terms only, got ${pattern}`,
    );
  return [...pattern.matchAll(/"([^"]*)"/g)].map(([, term = ""]) => term);
}
