import {
  differences,
  effectOf,
  propertiesOf,
  type StackResource,
  type Wanted,
} from "./stack-plan.ts";
import type { StackResources } from "./stack-resources.ts";
import type { Scope } from "./template.ts";

/** What was done to one resource; `updated` is also what was tried and failed. */
type Change =
  | { readonly kind: "created"; readonly after: StackResource }
  | {
      readonly kind: "updated" | "replaced";
      readonly before: StackResource;
      readonly after: StackResource;
    };

type Resources = ReadonlyMap<string, StackResource>;

/** What one operation does to a stack's resources, so that it can be undone, or completed. */
export class Changes {
  readonly #resources: StackResources;
  readonly #former: Resources;
  readonly #done: Change[] = [];

  /** `former` is the stack as it was; empty when there was none. */
  constructor(resources: StackResources, former: Resources) {
    this.#resources = resources;
    this.#former = former;
  }

  /** Make one resource what is wanted. CloudFormation compares values, not the template's words. */
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
   * Give what was changed its former properties, then take away what was made.
   *
   * @returns the stack as it was.
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
   * Take away what was replaced, and what the stack no longer has. CloudFormation has succeeded by
   * now, so whoever cannot be taken away is left behind.
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
