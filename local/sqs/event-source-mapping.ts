import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { AwsError } from "../http/aws-error.ts";
import type { Identities, Session } from "../iam/identity.ts";
import type { LambdaFunctions } from "../lambda/lambda-functions.ts";
import type { Outcome } from "../lambda/lambda-instance.ts";
import type { ReceivedMessage } from "./queue.ts";
import { failedMessages, queueEvent } from "./queue-event.ts";
import type { Sqs } from "./sqs.ts";

/** The settings of one event source mapping. */
export interface MappingSettings {
  readonly queueArn: string;
  /** Name or ARN, with or without a qualifier. */
  readonly functionName: string;
  readonly enabled: boolean;
  readonly batchSize: number;
  /** How long to wait for a full batch. Milliseconds. */
  readonly window: number;
  /** Maximum of concurrent batches. */
  readonly maximumConcurrency: number;
  /** Whether the function's answer names the failed messages of a batch. */
  readonly reportsFailures: boolean;
}

export interface MappingDeps {
  readonly clock: Clock;
  readonly functions: LambdaFunctions;
  readonly identities: Identities;
  readonly region: string;
  readonly sqs: Sqs;
  readonly onFault: (line: string) => void;
}

/** Pause after a failed read. Minutes on AWS. Milliseconds. */
const AFTER_A_FAULT = 1_000;
/** Pause after the function was throttled. Milliseconds. */
const BACK_OFF = 100;

/**
 * Reads a queue for a function: collects batches, calls the function and deletes finished messages.
 */
export class EventSourceMapping {
  settings: MappingSettings;
  changedAt = new Date();
  readonly #deps: MappingDeps;
  readonly #stopping = new AbortController();
  readonly #batches = new Set<Promise<void>>();
  readonly #polling: Promise<void>;
  #changed = new AbortController();

  constructor(settings: MappingSettings, deps: MappingDeps) {
    this.settings = settings;
    this.#deps = deps;
    this.#polling = this.#poll();
  }

  /** Change the settings. The batch that is being collected keeps the old ones. */
  change(settings: MappingSettings): void {
    this.settings = settings;
    this.changedAt = new Date();
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  /** Stop reading. Resolves when the function has processed the messages that were read. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#polling;
    await Promise.all(this.#batches);
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted)
      try {
        await this.#pollOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        const { queueArn, functionName } = this.settings;
        const { message } = error as Error;
        this.#deps.onFault(`${queueArn} cannot be read for ${functionName}: ${message}`);
        await wait(AFTER_A_FAULT, undefined, { signal }).catch(() => undefined);
      }
  }

  /** Reads no message while the function is at its limit: reading would only hide the message. */
  async #pollOnce(signal: AbortSignal): Promise<void> {
    const { enabled, maximumConcurrency } = this.settings;
    const changed = AbortSignal.any([signal, this.#changed.signal]);
    if (!enabled) return ended(changed);
    if (this.#batches.size >= maximumConcurrency) {
      await Promise.race([...this.#batches, ended(changed)]);
      return;
    }
    await this.#deps.sqs.find(this.settings.queueArn).arrival(changed);
    if (changed.aborted) return;
    const batch = await this.#gather(signal);
    if (batch.length === 0 || signal.aborted) return;
    const work = this.#handOver(batch, this.settings)
      .catch(({ message }: Error) => {
        if (!signal.aborted) this.#deps.onFault(`a batch of messages comes again: ${message}`);
      })
      .finally(() => this.#batches.delete(work));
    this.#batches.add(work);
  }

  /** Collect messages until the batch is full or the window ends. */
  async #gather(signal: AbortSignal): Promise<ReceivedMessage[]> {
    const { clock, sqs } = this.#deps;
    const { queueArn, batchSize, window } = this.settings;
    const batch: ReceivedMessage[] = [];
    const closing = new AbortController();
    const isOver = AbortSignal.any([signal, closing.signal]);
    const callOff = clock.at(clock.now() + window, () => closing.abort());
    try {
      for (;;) {
        const last = isOver.aborted || window === 0;
        const more = await sqs.receive(this.#caller(), queueArn, batchSize - batch.length);
        batch.push(...more);
        // the first answer may be empty if its messages moved to the dead-letter queue
        if (last || batch.length === 0 || batch.length >= batchSize) return batch;
        await sqs.find(queueArn).arrival(isOver);
      }
    } finally {
      callOff();
    }
  }

  /** A session of the function's role: Lambda reads the queue with it. */
  #caller(): Session {
    const { functions, identities } = this.#deps;
    const { lambda } = functions.target(this.settings.functionName);
    return identities.session(lambda.role, lambda.name);
  }

  /**
   * Call the function and delete finished messages. Others are visible again after their timeout.
   */
  async #handOver(batch: readonly ReceivedMessage[], settings: MappingSettings): Promise<void> {
    const { sqs } = this.#deps;
    const { queueArn, reportsFailures } = settings;
    const outcome = await this.#invoke(batch, settings);
    if (outcome === undefined || outcome.failed) return;
    const failed = reportsFailures ? failedMessages(outcome.payload, batch) : new Set<string>();
    const done = batch.filter(({ messageId }) => !failed.has(messageId));
    if (done.length === 0) return;
    const handles = done.map(({ receiptHandle }) => receiptHandle);
    await sqs.delete(this.#caller(), queueArn, handles);
  }

  /** Undefined if the function was throttled until the messages were visible again. */
  async #invoke(
    batch: readonly ReceivedMessage[],
    { queueArn, functionName }: MappingSettings,
  ): Promise<Outcome | undefined> {
    const { clock, functions, sqs, region } = this.#deps;
    const { signal } = this.#stopping;
    const { lambda, version, arn: invokedArn } = functions.target(functionName);
    const payload = JSON.stringify(queueEvent({ arn: queueArn, region }, batch));
    const deadline = clock.now() + sqs.find(queueArn).settings.visibilityTimeout;
    while (clock.now() < deadline && !signal.aborted) {
      try {
        const invocation = { requestId: randomUUID(), payload, invokedArn };
        return await lambda.pool.run(version, invocation);
      } catch (error) {
        if (!(error instanceof AwsError) || error.status !== 429) throw error;
      }
      await wait(BACK_OFF, undefined, { signal }).catch(() => undefined);
    }
    return undefined;
  }
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
