import type { Access } from "./access.ts";
import { type Account, arnOf } from "./account.ts";
import { AwsError } from "./aws-error.ts";
import type { PolicyDocument, Session } from "./identity.ts";
import type { HeldPolicy } from "./policy-use.ts";
import type { Created, Resource, ResourceTypes } from "./resource.ts";

/** Attributes of a message, by name. All are strings here. */
export type MessageAttributes = Readonly<Record<string, string>>;

/** A message that lies in a queue. */
export interface QueueMessage {
  readonly body: string;
  readonly attributes: MessageAttributes;
}

interface Queue {
  readonly arn: string;
  readonly url: string;
  readonly logicalId: string;
  readonly messages: QueueMessage[];
  policy?: PolicyDocument;
}

/** Amazon SQS as the end of dead letters: messages come in and stay, for the runner's owner to see. */
export class Sqs {
  readonly #account: Account;
  readonly #access: Access;
  queues: readonly Queue[] = [];

  constructor(account: Account, access: Access) {
    this.#account = account;
    this.#access = access;
  }

  readonly resources: ResourceTypes = {
    "AWS::SQS::Queue": {
      changes: { QueueName: "replace", "*": "update" },
      create: (resource) => this.#create(resource),
      remove: ({ ref }) => {
        this.queues = this.queues.filter(({ url }) => url !== ref);
      },
    },
    "AWS::SQS::QueuePolicy": {
      changes: { Queues: "replace", PolicyDocument: "update" },
      create: (resource) => this.#setPolicy(resource),
      update: (resource) => this.#setPolicy(resource),
      remove: ({ properties }) => {
        for (const url of properties.Queues as string[]) delete this.#lookup(url)?.policy;
      },
    },
  };

  #setPolicy({ logicalId, properties }: Resource): Created {
    const { Queues, PolicyDocument } = properties as {
      Queues: string[];
      PolicyDocument: PolicyDocument;
    };
    for (const url of Queues) this.find(url).policy = PolicyDocument;
    return { ref: logicalId };
  }

  /** The queues' own policies. */
  get policies(): readonly HeldPolicy[] {
    return this.queues.flatMap(({ logicalId: holder, policy }) =>
      policy === undefined ? [] : [{ holder, policy }],
    );
  }

  #create({ logicalId, properties, physicalName }: Resource): Created {
    const { QueueName: name = physicalName(80) } = properties as { QueueName?: string };
    const queue: Queue = {
      arn: arnOf(this.#account, "sqs", name),
      url: `https://sqs.${this.#account.region}.amazonaws.com/${this.#account.id}/${name}`,
      logicalId,
      messages: [],
    };
    this.queues = [...this.queues, queue];
    return { ref: queue.url, attributes: { Arn: queue.arn, QueueName: name, QueueUrl: queue.url } };
  }

  /** A queue by ARN, URL or logical id. @throws AwsError when there is none. */
  find(id: string): Queue {
    const queue = this.#lookup(id);
    if (queue !== undefined) return queue;
    throw new AwsError("QueueDoesNotExist", `The specified queue does not exist: ${id}`);
  }

  #lookup(id: string): Queue | undefined {
    return this.queues.find((each) => [each.arn, each.url, each.logicalId].includes(id));
  }

  /** Put a message into a queue, if the caller may. */
  async send(
    caller: Session,
    id: string,
    body: string,
    attributes: MessageAttributes = {},
  ): Promise<void> {
    const { arn, policy, messages } = this.find(id);
    await this.#access.authorize(caller, { action: "sqs:SendMessage", resource: arn, policy });
    messages.push({ body, attributes });
  }
}
