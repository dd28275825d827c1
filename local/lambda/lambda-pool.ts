import { AwsError } from "../http/aws-error.ts";
import {
  type InstanceOptions,
  type Invocation,
  killed,
  LambdaInstance,
  type Outcome,
} from "./lambda-instance.ts";

/** What becomes of an environment that gets an event: it may be killed before or after its work. */
export type Fate = "run" | "kill-before" | "kill-after";

/** Asked before a function gets an event, which waits for the answer: its name, the event's JSON. */
export type OnInvoke = (functionName: string, payload: string) => Fate | Promise<Fate>;

/** What an environment serves once its version is another, or gone. */
const RETIRED = "";

/** The execution environments of one function: re-used when idle, limited by reserved concurrency. */
export class LambdaPool {
  /** The reserved concurrency; `Infinity` without one. */
  limit: number;
  readonly #optionsOf: (version: string) => InstanceOptions;
  readonly #fateOf: (payload: string) => Fate | Promise<Fate>;
  /** Each with the version that it serves, whatever alias it served before. */
  readonly #all = new Map<LambdaInstance, string>();
  readonly #idle = new Set<LambdaInstance>();
  #running = 0;
  #stopped = false;

  constructor(
    limit: number,
    optionsOf: (version: string) => InstanceOptions,
    fateOf: (payload: string) => Fate | Promise<Fate> = () => "run",
  ) {
    this.limit = limit;
    this.#optionsOf = optionsOf;
    this.#fateOf = fateOf;
  }

  /**
   * Run one event on an idle environment of this version, or on a new one.
   *
   * @throws AwsError `TooManyRequestsException` when the reserved concurrency is used up.
   */
  async run(version: string, invocation: Invocation): Promise<Outcome> {
    if (this.#running >= this.limit)
      throw new AwsError("TooManyRequestsException", "Rate Exceeded.", {
        status: 429,
        details: { Reason: "ReservedFunctionConcurrentInvocationLimitExceeded", Type: "User" },
      });
    this.#running++;
    try {
      const fate = await this.#fateOf(invocation.payload);
      const instance = this.#takeIdle(version) ?? (await this.#start(version));
      const outcome =
        fate === "kill-before" ? killed(invocation) : await instance.invoke(invocation);
      const isFit = instance.alive && this.#all.get(instance) === version;
      if (fate === "run" && isFit) this.#idle.add(instance);
      else await this.#end(instance);
      return fate === "run" ? outcome : killed(invocation);
    } finally {
      this.#running--;
    }
  }

  #takeIdle(version: string): LambdaInstance | undefined {
    for (const instance of this.#idle) {
      if (this.#all.get(instance) !== version) continue;
      this.#idle.delete(instance);
      if (instance.alive) return instance;
      this.#all.delete(instance);
    }
    return undefined;
  }

  async #start(version: string): Promise<LambdaInstance> {
    if (this.#stopped) throw new Error("the function is gone, or the local runner is stopping");
    const instance = new LambdaInstance(this.#optionsOf(version));
    this.#all.set(instance, version);
    await instance.start();
    return instance;
  }

  async #end(instance: LambdaInstance): Promise<void> {
    this.#all.delete(instance);
    this.#idle.delete(instance);
    await instance.stop();
  }

  /** Use no environment of this version any more; one that is at work ends after its event. */
  async retire(version: string): Promise<void> {
    const retired = [...this.#all].filter(([, each]) => each === version);
    for (const [instance] of retired)
      if (this.#idle.has(instance)) await this.#end(instance);
      else this.#all.set(instance, RETIRED);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#all.keys()].map((instance) => instance.stop()));
  }
}
