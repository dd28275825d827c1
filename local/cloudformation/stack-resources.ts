import { randomEnd } from "../account.ts";
import type { SecretReference } from "../secrets-manager/secrets-manager.ts";
import type { Json } from "./assembly.ts";
import type { Created, Effect, Existing, Resource, ResourceType } from "./resource.ts";
import type { StackResource, TypeOf } from "./stack-plan.ts";
import { resolveDynamic } from "./stack-scope.ts";

/** What creating resources needs. */
export interface StackResourcesOptions {
  /** Name of the stack. Generated names begin with it. */
  readonly name: string;
  readonly typeOf: TypeOf;
  readonly resolveSecret: (reference: SecretReference) => string;
  /** Called before each change of a resource. The change waits for the result. */
  readonly onProgress: (line: string) => void | Promise<void>;
}

/** A resource of a template, with `{{resolve:…}}` not resolved yet. */
export type Described = Omit<StackResource, "ref" | "attributes">;

/** Creates, changes and deletes one resource at a time. */
export class StackResources {
  readonly #options: StackResourcesOptions;

  constructor(options: StackResourcesOptions) {
    this.#options = options;
  }

  /** @throws Error if the runner does not have the type. */
  typeOf(name: string): ResourceType {
    const type = this.#options.typeOf(name);
    if (type === undefined) throw new Error(`the local runner does not implement ${name}`);
    return type;
  }

  async create(wanted: Described, effect?: Effect): Promise<StackResource> {
    await this.#say(effect === "replace" ? "replacing" : "creating", wanted);
    const created = await this.typeOf(wanted.type).create(this.#resolved(wanted));
    return { ...wanted, ...created };
  }

  async update(wanted: Described, former: Existing): Promise<StackResource> {
    await this.#say("updating", wanted);
    const type = this.typeOf(wanted.type);
    const { ref, attributes = {} } = former;
    const changed: Created | undefined = await type.update?.(this.#resolved(wanted), former);
    return { ...wanted, ...(changed ?? { ref, attributes }) };
  }

  /** Delete a resource, unless its DeletionPolicy keeps it. */
  async remove(
    resource: StackResource,
    policy: string | undefined,
    isNew: boolean = false,
  ): Promise<void> {
    const kept = policy === "Retain" || (policy === "RetainExceptOnCreate" && !isNew);
    await this.#say(kept ? "keeping" : "deleting", resource);
    if (!kept) await this.typeOf(resource.type).remove(resource);
  }

  #resolved({ logicalId, type, properties }: Described): Resource {
    const { name, resolveSecret } = this.#options;
    return {
      logicalId,
      type,
      properties: resolveDynamic(properties, resolveSecret) as Json,
      physicalName: (length) => `${`${name}-${logicalId}`.slice(0, length - 13)}-${randomEnd(12)}`,
    };
  }

  async #say(doing: string, { type, logicalId }: Described): Promise<void> {
    await this.#options.onProgress(`${doing} ${type} ${logicalId}`);
  }
}
