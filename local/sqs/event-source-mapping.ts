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

/** What is read from where, how, and who gets it. */
export interface MappingSettings {
  readonly queueArn: string;
  /** Name or ARN, with or without a qualifier. */
  readonly functionName: string;
  readonly enabled: boolean;
  readonly batchSize: number;
  /** How long a batch is gathered that is not full. Milliseconds. */
  readonly window: number;
  /** How many batches the function may work at, at the same time. */
  readonly maximumConcurrency: number;
  /** Whether the function's answer says which messages of a batch are to come again. */
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

/** Minutes on AWS, for a queue that cannot be read. Milliseconds. */
const AFTER_A_FAULT = 1_000;
/** After a function was throttled. Milliseconds. */
const BACK_OFF = 100;

/** Reads a queue for a function: gathers batches, has them worked at, deletes what is done. */
export class EventSourceMapping {
  settings: MappingSettings;
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

  /** Go on like this; a batch that is being gathered is gathered as it was begun. */
  change(settings: MappingSettings): void {
    this.settings = settings;
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  /** Read no more. Resolves when the function has finished with the messages that were read. */
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

  /** Reads no message while the function is at its limit: that would only hide it from others. */
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

  /** Gather messages until the batch is full, or the window is over. */
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
        // the first answer may be empty: what was there has left for the dead letters
        if (last || batch.length === 0 || batch.length >= batchSize) return batch;
        await sqs.find(queueArn).arrival(isOver);
      }
    } finally {
      callOff();
    }
  }

  /** The function's role, as which Lambda reads the queue. */
  #caller(): Session {
    const { functions, identities } = this.#deps;
    const { lambda } = functions.target(this.settings.functionName);
    return identities.session(lambda.role, lambda.name);
  }

  /** What is not deleted here comes again when its visibility timeout is over. */
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

  /** `undefined` when the function was throttled until the messages were others' to read again. */
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
