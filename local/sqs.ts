import { createHash, randomUUID } from "node:crypto";
import type { Access } from "./access.ts";
import { type Account, arnOf } from "./account.ts";
import { AwsError } from "./aws-error.ts";
import type { PolicyDocument, Session } from "./identity.ts";
import { jsonService, operation, type Service } from "./protocols.ts";
import type { Created, Resource, ResourceTypes } from "./resource.ts";

/** Attributes of a message, by name. All are strings here. */
export type MessageAttributes = Readonly<Record<string, string>>;

/** A message that lies in a queue. */
export interface QueueMessage {
  readonly id: string;
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

/** Amazon SQS, as far as dead-letter queues need it: messages are kept, and never removed by reading. */
export class Sqs {
  readonly #account: Account;
  readonly #access: Access;
  readonly #queues: Queue[] = [];

  constructor(account: Account, access: Access) {
    this.#account = account;
    this.#access = access;
  }

  readonly service: Service = jsonService("sqs", {
    SendMessage: operation<{ QueueUrl: string; MessageBody: string }>(async (input, caller) => {
      const { id, body } = await this.send(caller, input.QueueUrl, input.MessageBody);
      return { MessageId: id, MD5OfMessageBody: md5(body) };
    }),
    ReceiveMessage: operation<{ QueueUrl: string; MaxNumberOfMessages?: number }>(
      async ({ QueueUrl, MaxNumberOfMessages = 1 }, caller) => {
        const { messages } = await this.#allowed(caller, "ReceiveMessage", QueueUrl);
        return { Messages: messages.slice(0, MaxNumberOfMessages).map(received) };
      },
    ),
    GetQueueAttributes: operation<{ QueueUrl: string }>(async ({ QueueUrl }, caller) => {
      const { arn, messages } = await this.#allowed(caller, "GetQueueAttributes", QueueUrl);
      return {
        Attributes: { QueueArn: arn, ApproximateNumberOfMessages: String(messages.length) },
      };
    }),
  });

  readonly resources: ResourceTypes = {
    "AWS::SQS::Queue": (resource) => this.#create(resource),
    "AWS::SQS::QueuePolicy": ({ logicalId, properties }) => {
      const { Queues, PolicyDocument } = properties as {
        Queues: string[];
        PolicyDocument: PolicyDocument;
      };
      for (const url of Queues) this.find(url).policy = PolicyDocument;
      return { ref: logicalId };
    },
  };

  #create({ logicalId, properties, physicalName }: Resource): Created {
    const name = String(properties.QueueName ?? physicalName(80));
    const queue: Queue = {
      arn: arnOf(this.#account, "sqs", name),
      url: `https://sqs.${this.#account.region}.amazonaws.com/${this.#account.id}/${name}`,
      logicalId,
      messages: [],
    };
    this.#queues.push(queue);
    return { ref: queue.url, attributes: { Arn: queue.arn, QueueName: name, QueueUrl: queue.url } };
  }

  /** A queue by ARN, URL or logical id. @throws AwsError when there is none. */
  find(id: string): Queue {
    const queue = this.#queues.find((each) => [each.arn, each.url, each.logicalId].includes(id));
    if (queue !== undefined) return queue;
    throw new AwsError("QueueDoesNotExist", `The specified queue does not exist: ${id}`);
  }

  async #allowed(caller: Session, operationName: string, id: string): Promise<Queue> {
    const queue = this.find(id);
    const action = `sqs:${operationName}`;
    await this.#access.authorize(caller, { action, resource: queue.arn, policy: queue.policy });
    return queue;
  }

  /** Put a message into a queue, if the caller may. */
  async send(
    caller: Session,
    id: string,
    body: string,
    attributes: MessageAttributes = {},
  ): Promise<QueueMessage> {
    const { messages } = await this.#allowed(caller, "SendMessage", id);
    const message = { id: randomUUID(), body, attributes };
    messages.push(message);
    return message;
  }
}

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");

const received = ({ id, body, attributes }: QueueMessage) => ({
  MessageId: id,
  ReceiptHandle: id,
  Body: body,
  MD5OfBody: md5(body),
  MessageAttributes: Object.fromEntries(
    Object.entries(attributes).map(([name, StringValue]) => [
      name,
      { DataType: "String", StringValue },
    ]),
  ),
});
