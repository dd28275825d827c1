import {
  differences,
  effectOf,
  propertiesOf,
  type StackResource,
  type Wanted,
} from "./stack-plan.ts";
import type { StackResources } from "./stack-resources.ts";
import type { Scope } from "./template.ts";

/** What happened to one resource. `updated` includes an update that failed. */
type Change =
  | { readonly kind: "created"; readonly after: StackResource }
  | {
      readonly kind: "updated" | "replaced";
      readonly before: StackResource;
      readonly after: StackResource;
    };

type Resources = ReadonlyMap<string, StackResource>;

/** The changes that one operation makes to a stack's resources, to undo or complete them. */
export class Changes {
  readonly #resources: StackResources;
  readonly #former: Resources;
  readonly #done: Change[] = [];

  /** `former` is the stack before the operation; empty if it did not exist. */
  constructor(resources: StackResources, former: Resources) {
    this.#resources = resources;
    this.#former = former;
  }

  /**
   * Create or change one resource. CloudFormation compares resolved values, not the template's
   * text.
   */
  async converge(wanted: Wanted, scope: Scope): Promise<StackResource> {
    const { logicalId, entry } = wanted;
    const properties = propertiesOf(wanted, scope);
    const described = { logicalId, type: entry.Type, properties, entry };
    const before = this.#former.get(logicalId);
    if (before === undefined) {
      const after = await this.#resources.create(described);
      this.#done.push({ kind: "created", after });
      return after;
    }
    const changed = differences(before.properties, properties);
    if (changed.length === 0) return { ...before, entry };
    const effect = effectOf(wanted, this.#resources.typeOf(entry.Type), changed);
    if (effect === "replace") {
      const after = await this.#resources.create(described, effect);
      this.#done.push({ kind: "replaced", before, after });
      return after;
    }
    // also an update that fails has to be undone
    const index = this.#done.push({ kind: "updated", before, after: { ...before, properties } });
    const after = await this.#resources.update(described, before);
    this.#done[index - 1] = { kind: "updated", before, after };
    return after;
  }

  /**
   * Give changed resources their former properties, then delete created ones.
   *
   * @returns the stack before the operation.
   */
  async undo(): Promise<Map<string, StackResource>> {
    const restored = new Map(this.#former);
    const surplus: [resource: StackResource, policy: string | undefined][] = [];
    for (const each of this.#done) {
      const { after } = each;
      if (each.kind === "created") surplus.push([after, after.entry.DeletionPolicy]);
      if (each.kind === "replaced") surplus.push([after, undefined]);
      if (each.kind !== "updated") continue;
      const again = await this.#resources.update(each.before, after);
      restored.set(again.logicalId, again);
      if (again.ref !== after.ref) surplus.push([after, undefined]);
    }
    for (const [resource, policy] of surplus.reverse())
      await this.#resources.remove(resource, policy, true);
    return restored;
  }

  /**
   * Delete replaced resources, and those that the template no longer has. CloudFormation reports
   * success before this, so a resource that cannot be deleted is left behind.
   */
  async complete(now: Resources, onLeftBehind: (line: string) => unknown): Promise<void> {
    const replaced = new Set(
      this.#done.flatMap((each) =>
        each.kind === "replaced" || (each.kind === "updated" && each.before.ref !== each.after.ref)
          ? [each.after.logicalId]
          : [],
      ),
    );
    for (const resource of [...this.#former.values()].reverse()) {
      const { logicalId, entry } = resource;
      const removed = !now.has(logicalId);
      if (!removed && !replaced.has(logicalId)) continue;
      const policy = removed ? entry.DeletionPolicy : entry.UpdateReplacePolicy;
      await this.#resources
        .remove(resource, policy)
        .catch((error: Error) => onLeftBehind(`${logicalId} is left behind: ${error.message}`));
    }
  }
}
