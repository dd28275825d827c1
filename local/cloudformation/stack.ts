import { randomUUID } from "node:crypto";
import { type Account, arnOf } from "../account.ts";
import type { Template } from "./assembly.ts";
import type { Created } from "./resource.ts";
import { Changes } from "./stack-changes.ts";
import { assertChangeable, type StackResource, type Wanted, wantedOf } from "./stack-plan.ts";
import { StackResources, type StackResourcesOptions } from "./stack-resources.ts";
import { scopeOf } from "./stack-scope.ts";
import { evaluate, type Scope } from "./template.ts";

/** What creating a stack needs. */
export interface StackOptions extends StackResourcesOptions {
  readonly account: Account;
  /**
   * The output of another stack.
   * @default - there is no other stack
   */
  readonly outputOf?: Scope["outputOf"] | undefined;
}

/** CloudFormation's names of a stack's states. Undefined before the first creation. */
export type StackStatus =
  | `${"CREATE" | "UPDATE" | "DELETE"}_${"COMPLETE" | "FAILED" | "IN_PROGRESS"}`
  | `${"" | "UPDATE_"}ROLLBACK_${"COMPLETE" | "FAILED" | "IN_PROGRESS"}`
  | undefined;

/** The states in which CloudFormation starts an operation. */
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

/** One stack, which is created, changed and deleted one resource at a time. */
export class Stack {
  readonly #options: StackOptions;
  readonly #work: StackResources;
  /** In the order of their creation. */
  #resources = new Map<string, StackResource>();
  #id = "";
  #createdAt = new Date(0);
  #status: StackStatus;
  /** Always the same object, so that its holders see the current outputs. */
  readonly outputs: Record<string, string> = {};

  constructor(options: StackOptions) {
    this.#options = options;
    this.#work = new StackResources(options);
  }

  /** A stack that is created again gets another id. */
  get id(): string {
    return this.#id;
  }

  get name(): string {
    return this.#options.name;
  }

  get status(): StackStatus {
    return this.#status;
  }

  /** The existing resources, in the order of their creation. */
  get resources(): readonly StackResource[] {
    return [...this.#resources.values()];
  }

  get createdAt(): Date {
    return this.#createdAt;
  }

  /**
   * Create every resource.
   *
   * @throws Error that names what the runner does not have, before it creates anything; or the
   *   reason of a failure, after the created resources were deleted. If the signal aborts the
   *   creation, its sender deletes everything.
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
   * Change the stack to another template, then delete the resources that it no longer has.
   *
   * @throws Error naming what the runner cannot change, before anything is touched; or the reason
   *   of a failure, after every resource has got its former properties again.
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
   * Delete every resource. After a failure, the next call goes on where this one stopped.
   *
   * @throws Error with the reason of the first failure.
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
    const { account, name, outputOf = noOutput } = this.#options;
    const pseudoParameters = {
      "AWS::AccountId": account.id,
      "AWS::Partition": "aws",
      "AWS::Region": account.region,
      "AWS::StackId": this.#id,
      "AWS::StackName": name,
      "AWS::URLSuffix": "amazonaws.com",
    };
    const { region } = account;
    return scopeOf({ template, region, pseudoParameters, outputOf }, resources);
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

  /** @throws Error with both reasons if the rollback fails. */
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

/** @throws Error, as CloudFormation fails. */
export const noOutput: Scope["outputOf"] = ({ StackName, OutputName }) => {
  throw new Error(`there is no stack ${StackName} with an output ${OutputName}`);
};

function outputsOf(template: Template, scope: Scope): Record<string, string> {
  const entries = Object.entries(template.Outputs ?? {})
    .filter(([, { Condition }]) => Condition === undefined || scope.condition(Condition))
    .map(([key, { Value }]) => [key, String(evaluate(Value, scope))]);
  return Object.fromEntries(entries);
}
