import { randomUUID } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Account, arnOf } from "../account.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import type { Lambda } from "../lambda/lambda.ts";
import type { LambdaFunctions } from "../lambda/lambda-functions.ts";

interface Subscription {
  readonly name: string;
  readonly logGroup: string;
  readonly functionArn: string;
  readonly passes: (line: string) => boolean;
}

interface SubscriptionsOptions {
  readonly account: Account;
  readonly functions: LambdaFunctions;
  readonly lambda: Lambda;
  readonly onFault: (line: string) => void;
}

interface LogLine {
  readonly id: string;
  readonly timestamp: number;
  readonly message: string;
}

/** Lines within this time are delivered together. Milliseconds. */
const LINGER = 20;

/**
 * Subscriptions of CloudWatch Logs to functions. Subscriptions to other destinations have no
 * effect.
 */
export class LogSubscriptions {
  readonly #options: SubscriptionsOptions;
  #all: readonly Subscription[] = [];
  readonly #waiting = new Map<Subscription, LogLine[]>();

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  readonly resources: ResourceTypes = {
    "AWS::Logs::SubscriptionFilter": {
      changes: { "*": "replace" },
      create: (resource) => this.#create(resource),
      remove: ({ ref }) => {
        this.#all = this.#all.filter(({ name }) => name !== ref);
      },
    },
  };

  #create({ properties, physicalName }: Resource): Created {
    const name = physicalName(64);
    const { LogGroupName, DestinationArn, FilterPattern } = properties as Record<string, string>;
    if (DestinationArn?.includes(":lambda:"))
      this.#all = [
        ...this.#all,
        {
          name,
          logGroup: LogGroupName ?? "",
          functionArn: DestinationArn,
          passes: filterOf(FilterPattern ?? ""),
        },
      ];
    return { ref: name };
  }

  /** Note that a function printed a line. */
  offer(functionName: string, message: string): void {
    for (const subscription of this.#all) {
      const { logGroup, passes } = subscription;
      if (!this.#options.functions.loggingTo(logGroup).includes(functionName)) continue;
      if (!passes(message)) continue;
      const lines = this.#waiting.get(subscription) ?? [];
      if (lines.length === 0) setTimeout(() => this.#deliver(subscription), LINGER);
      lines.push({ id: randomUUID(), timestamp: Date.now(), message });
      this.#waiting.set(subscription, lines);
    }
  }

  #deliver(subscription: Subscription): void {
    const { account, lambda, onFault } = this.#options;
    const { logGroup, functionArn, name } = subscription;
    const batch = {
      messageType: "DATA_MESSAGE",
      owner: account.id,
      logGroup,
      logStream: "stream",
      subscriptionFilters: [name],
      logEvents: this.#waiting.get(subscription),
    };
    this.#waiting.delete(subscription);
    const data = gzipSync(JSON.stringify(batch)).toString("base64");
    const source = `${arnOf(account, "logs", `log-group:${logGroup}`)}:*`;
    const call = { functionName: functionArn, payload: JSON.stringify({ awslogs: { data } }) };
    lambda
      .invokeByService("logs.amazonaws.com", source, call)
      .catch(({ message }: Error) => onFault(`subscription ${name} delivers nothing: ${message}`));
  }
}

/** `{ $.field = "start*" || … }`, or an empty pattern, which matches every line. */
function filterOf(pattern: string): (line: string) => boolean {
  if (pattern.trim() === "") return () => true;
  const terms = /^\{(.+)\}$/.exec(pattern.trim())?.[1]?.split("||") ?? [];
  const tests = terms.map((term) => /^\s*\$\.(\w+) = "([^"*]*)(\*?)"\s*$/.exec(term));
  if (terms.length === 0 || tests.includes(null))
    throw new Error(`the local runner does not implement the filter pattern ${pattern}`);
  return (line) => {
    const fields = jsonIn(line);
    return tests.some((test) => {
      const [, field = "", text = "", open] = test ?? [];
      const value = fields[field];
      if (typeof value !== "string") return false;
      return open === "*" ? value.startsWith(text) : value === text;
    });
  };
}

function jsonIn(line: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(line));
  } catch {
    return {};
  }
}
