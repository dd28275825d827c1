import { AwsError } from "./aws-error.ts";
import {
  type InstanceOptions,
  type Invocation,
  LambdaInstance,
  type Outcome,
} from "./lambda-instance.ts";

/** The execution environments of one function: re-used when idle, limited by reserved concurrency. */
export class LambdaPool {
  readonly #limit: number;
  readonly #optionsOf: (version: string) => InstanceOptions;
  readonly #idle: { readonly version: string; readonly instance: LambdaInstance }[] = [];
  readonly #all = new Set<LambdaInstance>();
  #running = 0;
  #stopped = false;

  /** `limit` is the reserved concurrency; `Infinity` without one. */
  constructor(limit: number, optionsOf: (version: string) => InstanceOptions) {
    this.#limit = limit;
    this.#optionsOf = optionsOf;
  }

  /**
   * Run one event on an idle environment of this version, whatever alias it served before, or on a
   * new one.
   *
   * @throws AwsError `TooManyRequestsException` when the reserved concurrency is used up.
   */
  async run(version: string, invocation: Invocation): Promise<Outcome> {
    if (this.#running >= this.#limit)
      throw new AwsError("TooManyRequestsException", "Rate Exceeded.", {
        status: 429,
        details: { Reason: "ReservedFunctionConcurrentInvocationLimitExceeded", Type: "User" },
      });
    this.#running++;
    try {
      const instance = this.#takeIdle(version) ?? (await this.#start(version));
      const outcome = await instance.invoke(invocation);
      if (instance.alive) this.#idle.push({ version, instance });
      else this.#all.delete(instance);
      return outcome;
    } finally {
      this.#running--;
    }
  }

  #takeIdle(version: string): LambdaInstance | undefined {
    for (;;) {
      const index = this.#idle.findIndex((each) => each.version === version);
      const [taken] = index < 0 ? [] : this.#idle.splice(index, 1);
      if (taken === undefined || taken.instance.alive) return taken?.instance;
      this.#all.delete(taken.instance);
    }
  }

  async #start(version: string): Promise<LambdaInstance> {
    if (this.#stopped) throw new Error("the local runner is stopping");
    const instance = new LambdaInstance(this.#optionsOf(version));
    this.#all.add(instance);
    await instance.start();
    return instance;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#all].map((instance) => instance.stop()));
  }
}
