import { randomUUID } from "node:crypto";
import { type Account, arnOf } from "../account.ts";
import type { Template } from "./assembly.ts";
import type { Created } from "./resource.ts";
import { Changes } from "./stack-changes.ts";
import { assertChangeable, type StackResource, type Wanted, wantedOf } from "./stack-plan.ts";
import { StackResources, type StackResourcesOptions } from "./stack-resources.ts";
import { scopeOf } from "./stack-scope.ts";
import { evaluate, type Scope } from "./template.ts";

/** What a stack is made with. */
export interface StackOptions extends StackResourcesOptions {
  readonly account: Account;
}

/** As CloudFormation calls them; before the first creation it has none. */
export type StackStatus =
  | `${"CREATE" | "UPDATE" | "DELETE"}_${"COMPLETE" | "FAILED" | "IN_PROGRESS"}`
  | `${"" | "UPDATE_"}ROLLBACK_${"COMPLETE" | "FAILED" | "IN_PROGRESS"}`
  | undefined;

/** In which states CloudFormation starts an operation. */
const STARTS: Readonly<Record<"create" | "update" | "delete", readonly StackStatus[]>> = {
  create: [undefined, "ROLLBACK_COMPLETE", "DELETE_COMPLETE"],
  update: ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"],
  delete: [
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
  ],
};

/** One stack and its life: made, changed and taken away, one resource after the other. */
export class Stack {
  readonly #options: StackOptions;
  readonly #work: StackResources;
  /** In the order in which they were made. */
  #resources = new Map<string, StackResource>();
  #id = "";
  #createdAt = new Date(0);
  #status: StackStatus;
  /** The same object for ever, so that whoever holds it sees the stack as it is. */
  readonly outputs: Record<string, string> = {};

  constructor(options: StackOptions) {
    this.#options = options;
    this.#work = new StackResources(options);
  }

  /** Never used twice: a stack that is made again has another. */
  get id(): string {
    return this.#id;
  }

  get name(): string {
    return this.#options.name;
  }

  get status(): StackStatus {
    return this.#status;
  }

  /** Those that are there, in the order in which they were made. */
  get resources(): readonly StackResource[] {
    return [...this.#resources.values()];
  }

  get createdAt(): Date {
    return this.#createdAt;
  }

  /**
   * Make every resource.
   *
   * @throws Error naming what the runner does not have, before it creates anything; or the reason of
   *   a failure, after what was made has been taken away again. When the signal aborts it, whoever
   *   sent that takes everything away at once.
   */
  async create(template: Template, signal?: AbortSignal): Promise<void> {
    this.#assertStarts("create");
    const { account, name } = this.#options;
    this.#id = arnOf(account, "cloudformation", `stack/${name}/${randomUUID()}`);
    const wanted = this.#wanted(template);
    this.#createdAt = new Date();
    this.#status = "CREATE_IN_PROGRESS";
    const changes = new Changes(this.#work, new Map());
    try {
      await this.#bring(template, wanted, changes, signal);
      this.#status = "CREATE_COMPLETE";
    } catch (error) {
      this.#status = "CREATE_FAILED";
      if (signal?.aborted !== true) await this.#rollBack("ROLLBACK", changes, error);
      throw error;
    }
  }

  /**
   * Make the stack what another template says, then take away what it no longer names.
   *
   * @throws Error naming what the runner cannot change, before anything is touched; or the reason of
   *   a failure, after every resource has got its former properties again.
   */
  async update(template: Template): Promise<void> {
    this.#assertStarts("update");
    const wanted = this.#wanted(template);
    const former = this.#resources;
    assertChangeable(wanted, former, this.#scope(template, former), this.#options.typeOf);
    this.#status = "UPDATE_IN_PROGRESS";
    const changes = new Changes(this.#work, former);
    try {
      await this.#bring(template, wanted, changes);
    } catch (error) {
      await this.#rollBack("UPDATE_ROLLBACK", changes, error);
      throw error;
    }
    await changes.complete(this.#resources, this.#options.onProgress);
    this.#status = "UPDATE_COMPLETE";
  }

  /**
   * Take everything away. After a failure, the same again goes on where it stopped.
   *
   * @throws Error with the reason of a failure, at which it stops.
   */
  async delete(): Promise<void> {
    if (this.#status === "DELETE_COMPLETE") return;
    this.#assertStarts("delete");
    this.#status = "DELETE_IN_PROGRESS";
    try {
      for (const resource of [...this.#resources.values()].reverse()) {
        await this.#work.remove(resource, resource.entry.DeletionPolicy);
        this.#resources.delete(resource.logicalId);
      }
      this.#show({});
      this.#status = "DELETE_COMPLETE";
    } catch (error) {
      this.#status = "DELETE_FAILED";
      throw error;
    }
  }

  #assertStarts(operation: keyof typeof STARTS): void {
    if (STARTS[operation].includes(this.#status)) return;
    throw new Error(
      `stack ${this.name} is in ${this.#status ?? "no"} state; ${operation} starts from ${STARTS[operation].map((each) => each ?? "none").join(", ")}`,
    );
  }

  #wanted(template: Template): Wanted[] {
    return wantedOf(template, this.#scope(template, new Map()), this.#options.typeOf);
  }

  #scope(template: Template, resources: ReadonlyMap<string, Created>): Scope {
    const { account, name } = this.#options;
    const pseudoParameters = {
      "AWS::AccountId": account.id,
      "AWS::Partition": "aws",
      "AWS::Region": account.region,
      "AWS::StackId": this.#id,
      "AWS::StackName": name,
      "AWS::URLSuffix": "amazonaws.com",
    };
    return scopeOf({ template, region: account.region, pseudoParameters }, resources);
  }

  async #bring(
    template: Template,
    wanted: readonly Wanted[],
    changes: Changes,
    signal?: AbortSignal,
  ): Promise<void> {
    const now = new Map<string, StackResource>();
    const scope = this.#scope(template, now);
    for (const each of wanted) {
      signal?.throwIfAborted();
      now.set(each.logicalId, await changes.converge(each, scope));
    }
    const outputs = outputsOf(template, scope);
    this.#resources = now;
    this.#show(outputs);
  }

  #show(outputs: Readonly<Record<string, string>>): void {
    for (const name of Object.keys(this.outputs)) delete this.outputs[name];
    Object.assign(this.outputs, outputs);
  }

  /** @throws Error with both reasons when the stack could not be brought back. */
  async #rollBack(
    kind: "ROLLBACK" | "UPDATE_ROLLBACK",
    changes: Changes,
    reason: unknown,
  ): Promise<void> {
    this.#status = `${kind}_IN_PROGRESS`;
    try {
      this.#resources = await changes.undo();
      this.#status = `${kind}_COMPLETE`;
    } catch (error) {
      this.#status = `${kind}_FAILED`;
      const words = [error, reason].map((each) => (each as Error).message);
      throw new Error(`stack ${this.name} could not be rolled back: ${words.join("; after: ")}`, {
        cause: reason,
      });
    }
  }
}

function outputsOf(template: Template, scope: Scope): Record<string, string> {
  const entries = Object.entries(template.Outputs ?? {})
    .filter(([, { Condition }]) => Condition === undefined || scope.condition(Condition))
    .map(([key, { Value }]) => [key, String(evaluate(Value, scope))]);
  return Object.fromEntries(entries);
}
