import type { PutEventsRequest } from "@aws-sdk/client-eventbridge";
import { type Account, arnOf } from "../account.ts";
import type { ResourceTypes } from "../cloudformation/resource.ts";
import { AwsError } from "../http/aws-error.ts";
import { jsonService, operation, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";

/** An event on a bus. */
export interface PutEvent {
  readonly busArn: string;
  readonly source: string;
  readonly detailType: string;
  /** JSON. */
  readonly detail: string;
  readonly resources: readonly string[];
}

/** Amazon EventBridge's buses. They keep every event, for the runner's caller to read. */
export class EventBridge {
  readonly #account: Account;
  readonly #access: Access;
  readonly #buses = new Set<string>();
  readonly events: PutEvent[] = [];

  constructor(account: Account, access: Access) {
    this.#account = account;
    this.#access = access;
    this.#buses.add(this.#arn("default"));
  }

  readonly service: Service = jsonService("events", {
    PutEvents: operation<PutEventsRequest>(async ({ Entries = [] }, caller) => {
      for (const { EventBusName = "default" } of Entries)
        await this.#access.authorize(caller, {
          action: "events:PutEvents",
          resource: this.#named(EventBusName),
        });
      for (const { EventBusName = "default", Source, DetailType, Detail, Resources } of Entries)
        this.events.push({
          busArn: this.#named(EventBusName),
          source: Source ?? "",
          detailType: DetailType ?? "",
          detail: Detail ?? "{}",
          resources: Resources ?? [],
        });
      return { FailedEntryCount: 0, Entries: Entries.map((_, each) => ({ EventId: `${each}` })) };
    }),
  });

  /** Add a bus that existed before the stack. */
  adopt(arn: string): void {
    this.#buses.add(arn);
  }

  readonly resources: ResourceTypes = {
    "AWS::Events::EventBus": {
      changes: { Name: "replace", "*": "update" },
      create: ({ properties }) => {
        const Name = String(properties.Name);
        this.#buses.add(this.#arn(Name));
        return { ref: Name, attributes: { Arn: this.#arn(Name), Name } };
      },
      remove: ({ ref }) => {
        this.#buses.delete(this.#arn(ref));
      },
    },
  };

  #arn(name: string): string {
    return arnOf(this.#account, "events", `event-bus/${name}`);
  }

  #named(nameOrArn: string): string {
    const arn = nameOrArn.startsWith("arn:") ? nameOrArn : this.#arn(nameOrArn);
    if (this.#buses.has(arn)) return arn;
    throw new AwsError("ResourceNotFoundException", `Event bus ${nameOrArn} does not exist.`);
  }
}
