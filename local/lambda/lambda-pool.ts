import type { AccountConcurrency } from "./account-concurrency.ts";
import {
  type InstanceOptions,
  type Invocation,
  killed,
  LambdaInstance,
  type Outcome,
} from "./lambda-instance.ts";
import { type ProcessLimit, throttled } from "./process-limit.ts";

/** Whether an environment runs an event, or is killed before or after it. */
export type Fate = "run" | "kill-before" | "kill-after";

/** Called with a function's name and an event's JSON before the function gets the event. */
export type OnInvoke = (functionName: string, payload: string) => Fate | Promise<Fate>;

/** Marks an environment whose version was changed or deleted. */
const RETIRED = "";

/** Objects that all functions share. */
export interface SharedLimits {
  readonly account: AccountConcurrency;
  readonly processes: ProcessLimit;
}

interface PoolOptions {
  /** The reserved concurrency. */
  readonly reserved: number | undefined;
  readonly limits: SharedLimits;
  /** How to start a process of a version. */
  readonly optionsOf: (version: string) => InstanceOptions;
  /** @default - every event runs */
  readonly fateOf?: (payload: string) => Fate | Promise<Fate>;
}

/**
 * The execution environments of one function. Idle ones are reused; concurrency limits their
 * number.
 */
export class LambdaPool {
  /** The reserved concurrency. Undefined: the function shares the account's. */
  reserved: number | undefined;
  readonly #options: PoolOptions;
  /** Each environment with its version. Aliases of one version share it. */
  readonly #all = new Map<LambdaInstance, string>();
  readonly #idle = new Set<LambdaInstance>();
  #running = 0;
  #stopped = false;

  constructor(options: PoolOptions) {
    this.reserved = options.reserved;
    this.#options = options;
  }

  /**
   * Run one event on an idle environment of this version, or on a new one.
   *
   * @throws AwsError `TooManyRequestsException` if the function's reserved concurrency is used up,
   *   or the account's, or no process was free for a minute.
   */
  async run(version: string, invocation: Invocation): Promise<Outcome> {
    const { account } = this.#options.limits;
    const task = (): Promise<Outcome> => this.#run(version, invocation);
    if (this.reserved === undefined) return account.runUnreserved(task);
    if (this.#running >= this.reserved)
      throw throttled("ReservedFunctionConcurrentInvocationLimitExceeded");
    return task();
  }

  async #run(version: string, invocation: Invocation): Promise<Outcome> {
    this.#running++;
    try {
      const fate = (await this.#options.fateOf?.(invocation.payload)) ?? "run";
      const { processes } = this.#options.limits;
      return await processes.run(
        () => this.#execute(version, invocation, fate),
        invocation.isInner,
      );
    } finally {
      this.#running--;
    }
  }

  async #execute(version: string, invocation: Invocation, fate: Fate): Promise<Outcome> {
    const instance = (await this.#takeIdle(version)) ?? (await this.#start(version));
    const outcome = fate === "kill-before" ? killed(invocation) : await instance.invoke(invocation);
    const isFit = instance.alive && this.#all.get(instance) === version;
    if (fate === "run" && isFit) this.#rest(instance);
    else await this.#end(instance);
    return fate === "run" ? outcome : killed(invocation);
  }

  #rest(instance: LambdaInstance): void {
    this.#idle.add(instance);
    this.#options.limits.processes.rest(instance, () => this.#end(instance));
  }

  async #takeIdle(version: string): Promise<LambdaInstance | undefined> {
    for (const instance of this.#idle) {
      if (this.#all.get(instance) !== version) continue;
      this.#idle.delete(instance);
      this.#options.limits.processes.wake(instance);
      if (instance.alive) return instance;
      await this.#end(instance);
    }
    return undefined;
  }

  async #start(version: string): Promise<LambdaInstance> {
    if (this.#stopped) throw new Error("the function is gone, or the local runner is stopping");
    const instance = new LambdaInstance(this.#options.optionsOf(version));
    this.#all.set(instance, version);
    await this.#options.limits.processes.start(instance);
    return instance;
  }

  async #end(instance: LambdaInstance): Promise<void> {
    this.#all.delete(instance);
    this.#idle.delete(instance);
    await this.#options.limits.processes.end(instance);
  }

  /** End the environments of this version; a busy one ends after its event. */
  async retire(version: string): Promise<void> {
    const retired = [...this.#all].filter(([, each]) => each === version);
    for (const [instance] of retired)
      if (this.#idle.has(instance)) await this.#end(instance);
      else this.#all.set(instance, RETIRED);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const { processes } = this.#options.limits;
    await Promise.all([...this.#all.keys()].map((instance) => processes.end(instance)));
  }
}
