import { type Account, arnOf } from "../account.ts";
import type { Clock } from "../clock.ts";
import type { Created, Resource, ResourceTypes } from "../cloudformation/resource.ts";
import { AwsError, refuseMembers } from "../http/aws-error.ts";
import { operation, queryCompatibleService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { PolicyDocument, Session } from "../iam/identity.ts";
import type { HeldPolicy } from "../iam/policy-use.ts";
import {
  type MessageAttributes,
  Queue,
  type QueueSettings,
  type ReceivedMessage,
} from "./queue.ts";
import { attributesOf } from "./queue-attributes.ts";

interface QueueProperties {
  readonly QueueName?: string;
  /** Seconds. */
  readonly VisibilityTimeout?: number | string;
  readonly RedrivePolicy?: {
    readonly deadLetterTargetArn: string;
    readonly maxReceiveCount: number | string;
  };
}

const UNSUPPORTED = ["FifoQueue", "DelaySeconds"];
/** AWS's default for queues without a timeout. Seconds. */
const VISIBILITY_TIMEOUT = 30;
/** Maximum of messages in one ReceiveMessage. */
const MOST_AT_ONCE = 10;

/** Amazon SQS's standard queues. The runner's services send to them and read them for functions. */
export class Sqs {
  readonly #account: Account;
  readonly #access: Access;
  readonly #clock: Clock;
  queues: readonly Queue[] = [];

  constructor(account: Account, access: Access, clock: Clock) {
    this.#account = account;
    this.#access = access;
    this.#clock = clock;
  }

  /** What programs may ask: how a queue is. */
  readonly service: Service = queryCompatibleService(
    "sqs",
    {
      GetQueueAttributes: operation<{ QueueUrl: string; AttributeNames?: readonly string[] }>(
        async ({ QueueUrl, AttributeNames = [] }, caller) => {
          const queue = await this.authorize(caller, "GetQueueAttributes", QueueUrl);
          return { Attributes: attributesOf(queue, AttributeNames) };
        },
      ),
      ListDeadLetterSourceQueues: operation<{ QueueUrl: string }>(async (input, caller) => {
        const name = "ListDeadLetterSourceQueues";
        refuseMembers("sqs", name, input, ["MaxResults", "NextToken"]);
        const { arn } = await this.authorize(caller, name, input.QueueUrl);
        const sources = this.queues.filter(({ settings }) => settings.redrive?.queueArn === arn);
        return { queueUrls: sources.map(({ url }) => url) };
      }),
    },
    { QueueDoesNotExist: "AWS.SimpleQueueService.NonExistentQueue" },
  );

  readonly resources: ResourceTypes = {
    "AWS::SQS::Queue": {
      changes: { QueueName: "replace", "*": "update" },
      create: (resource) => this.#create(resource),
      update: (resource, { ref, attributes = {} }) => {
        this.find(ref).settings = settingsOf(resource);
        return { ref, attributes };
      },
      remove: ({ ref }) => {
        this.#lookup(ref)?.stop();
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

  #create(resource: Resource): Created {
    const { logicalId, physicalName } = resource;
    const { QueueName: name = physicalName(80) } = resource.properties as QueueProperties;
    const arn = arnOf(this.#account, "sqs", name);
    const url = `https://sqs.${this.#account.region}.amazonaws.com/${this.#account.id}/${name}`;
    const queue = new Queue({ arn, url, logicalId }, settingsOf(resource), this.#clock);
    this.queues = [...this.queues, queue];
    return { ref: url, attributes: { Arn: arn, QueueName: name, QueueUrl: url } };
  }

  /** A queue by ARN, URL or logical id. @throws AwsError if it does not exist. */
  find(id: string): Queue {
    const queue = this.#lookup(id);
    if (queue !== undefined) return queue;
    throw new AwsError("QueueDoesNotExist", `The specified queue does not exist: ${id}`);
  }

  #lookup(id: string | undefined): Queue | undefined {
    return this.queues.find((each) => [each.arn, each.url, each.logicalId].includes(id ?? ""));
  }

  /** Check a principal's action on a queue. @throws AwsError `AccessDeniedException`. */
  async authorize(caller: Session, action: string, id: string): Promise<Queue> {
    const queue = this.find(id);
    const { arn: resource, policy } = queue;
    await this.#access.authorize(caller, { action: `sqs:${action}`, resource, policy });
    return queue;
  }

  /** Send a message to a queue, if the caller may. */
  async send(
    caller: Session,
    id: string,
    body: string,
    attributes: MessageAttributes = {},
  ): Promise<void> {
    const queue = await this.authorize(caller, "SendMessage", id);
    queue.send(body, attributes, caller.userId);
  }

  /** Receive up to `limit` messages, at most ten, if the caller may. */
  async receive(caller: Session, id: string, limit: number): Promise<ReceivedMessage[]> {
    const queue = await this.authorize(caller, "ReceiveMessage", id);
    const deadLetters = this.#lookup(queue.settings.redrive?.queueArn);
    return queue.receive(Math.min(limit, MOST_AT_ONCE), deadLetters);
  }

  /** Delete received messages, if the caller may. */
  async delete(caller: Session, id: string, receiptHandles: readonly string[]): Promise<void> {
    const queue = await this.authorize(caller, "DeleteMessage", id);
    queue.delete(receiptHandles);
  }

  stop(): void {
    for (const queue of this.queues) queue.stop();
  }
}

/** @throws Error for settings that the runner does not have. */
function settingsOf({ logicalId, properties }: Resource): QueueSettings {
  const unsupported = UNSUPPORTED.filter((each) => Boolean(properties[each]));
  if (unsupported.length > 0)
    throw new Error(
      `${logicalId}: the local runner has standard queues without delay; leave out ${unsupported.join(", ")}`,
    );
  const { VisibilityTimeout = VISIBILITY_TIMEOUT, RedrivePolicy } = properties as QueueProperties;
  return {
    visibilityTimeout: Number(VisibilityTimeout) * 1_000,
    redrive: RedrivePolicy && {
      queueArn: RedrivePolicy.deadLetterTargetArn,
      maxReceiveCount: Number(RedrivePolicy.maxReceiveCount),
    },
  };
}
