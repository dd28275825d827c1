import { randomUUID } from "node:crypto";
import type { Clock } from "../clock.ts";
import type { PolicyDocument } from "../iam/identity.ts";

/** Attributes of a message, by name. All are strings here. */
export type MessageAttributes = Readonly<Record<string, string>>;

/** A message in a queue. All times are milliseconds since the epoch. */
export interface QueueMessage {
  readonly messageId: string;
  readonly body: string;
  readonly attributes: MessageAttributes;
  /** The sender's id from STS: `<role's id>:<session>`. */
  readonly senderId: string;
  readonly sentAt: number;
}

/** A received message. Only its newest receipt handle deletes it. */
export interface ReceivedMessage extends QueueMessage {
  readonly receiptHandle: string;
  /** How often it was received, including this time. */
  readonly receiveCount: number;
  readonly firstReceivedAt: number;
}

/** The settings of a queue in the template. */
export interface QueueSettings {
  /** How long a received message is hidden from others. Milliseconds. */
  readonly visibilityTimeout: number;
  /** The dead-letter queue, and after how many receives a message moves there. */
  readonly redrive?: { readonly queueArn: string; readonly maxReceiveCount: number } | undefined;
}

interface Entry {
  readonly message: QueueMessage;
  received?: ReceivedMessage;
  /** Makes the message visible again. */
  reveal?: (() => void) | undefined;
}

/** One standard queue. It keeps messages until they are deleted. */
export class Queue {
  readonly arn: string;
  readonly url: string;
  readonly logicalId: string;
  settings: QueueSettings;
  policy?: PolicyDocument;
  readonly #clock: Clock;
  #entries: readonly Entry[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(
    names: Pick<Queue, "arn" | "url" | "logicalId">,
    settings: QueueSettings,
    clock: Clock,
  ) {
    this.arn = names.arn;
    this.url = names.url;
    this.logicalId = names.logicalId;
    this.settings = settings;
    this.#clock = clock;
  }

  /** All messages, oldest first, including received ones. */
  get messages(): readonly QueueMessage[] {
    return this.#entries.map(({ message }) => message);
  }

  /** Messages that were received, and are hidden from others. */
  get inFlight(): number {
    return this.#entries.filter(({ reveal }) => reveal !== undefined).length;
  }

  send(body: string, attributes: MessageAttributes, senderId: string): void {
    const sentAt = this.#clock.now();
    this.put({ messageId: randomUUID(), body, attributes, senderId, sentAt });
  }

  put(message: QueueMessage): void {
    this.#entries = [...this.#entries, { message }];
    this.#notice();
  }

  /** Receive up to `limit` messages. Those received too often move to `deadLetters`. */
  receive(limit: number, deadLetters: Pick<Queue, "put"> | undefined): ReceivedMessage[] {
    const given: ReceivedMessage[] = [];
    const most = this.settings.redrive?.maxReceiveCount ?? Number.POSITIVE_INFINITY;
    for (const entry of this.#entries) {
      if (given.length >= limit) break;
      if (entry.reveal !== undefined) continue;
      if (deadLetters !== undefined && (entry.received?.receiveCount ?? 0) >= most) {
        this.#entries = this.#entries.filter((each) => each !== entry);
        deadLetters.put(entry.message);
      } else given.push(this.#give(entry));
    }
    return given;
  }

  #give(entry: Entry): ReceivedMessage {
    const now = this.#clock.now();
    const { receiveCount = 0, firstReceivedAt = now } = entry.received ?? {};
    const received = {
      ...entry.message,
      receiptHandle: randomUUID(),
      receiveCount: receiveCount + 1,
      firstReceivedAt,
    };
    entry.received = received;
    entry.reveal = this.#clock.at(now + this.settings.visibilityTimeout, () => {
      entry.reveal = undefined;
      this.#notice();
    });
    return received;
  }

  /** Delete the messages with these receipt handles. Unknown handles are ignored. */
  delete(receiptHandles: readonly string[]): void {
    const isOver = ({ received }: Entry): boolean =>
      received !== undefined && receiptHandles.includes(received.receiptHandle);
    for (const entry of this.#entries) if (isOver(entry)) entry.reveal?.();
    this.#entries = this.#entries.filter((entry) => !isOver(entry));
  }

  /** Resolves when there is a message to receive, or the signal aborts. */
  async arrival(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#entries.some(({ reveal }) => reveal === undefined)) return;
    await new Promise<void>((resolve) => {
      const end = (): void => {
        this.#waiting.delete(end);
        signal.removeEventListener("abort", end);
        resolve();
      };
      this.#waiting.add(end);
      signal.addEventListener("abort", end);
    });
  }

  #notice(): void {
    for (const end of this.#waiting) end();
  }

  /** Stop all timers. */
  stop(): void {
    for (const { reveal } of this.#entries) reveal?.();
  }
}
