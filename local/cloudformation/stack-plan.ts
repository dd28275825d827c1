import { isDeepStrictEqual } from "node:util";
import { isReplica } from "../rds/rds-replica.ts";
import type { Json, Template, TemplateResource } from "./assembly.ts";
import type { Effect, Existing, ResourceType } from "./resource.ts";
import { evaluate, NO_VALUE, references, type Scope } from "./template.ts";

/** An existing resource of the stack and its entry in the template. */
export interface StackResource extends Existing {
  readonly entry: TemplateResource;
}

/** A resource that a template wants. */
export interface Wanted {
  readonly logicalId: string;
  readonly entry: TemplateResource;
}

export type TypeOf = (type: string) => ResourceType | undefined;

/**
 * The resources of a template, each after those that it needs.
 *
 * @throws Error if the runner does not have a type, or can have only one resource of it.
 */
export function wantedOf(template: Template, scope: Scope, typeOf: TypeOf): Wanted[] {
  const entries = Object.entries(template.Resources).filter(
    ([, { Condition }]) => Condition === undefined || scope.condition(Condition),
  );
  const unknown = entries.filter(([, { Type }]) => typeOf(Type) === undefined);
  if (unknown.length > 0)
    throw new Error(
      `the local runner does not implement ${unknown.map(([id, { Type }]) => `${Type} (${id})`).join(", ")}`,
    );
  const servers = entries.filter(
    ([, { Type, Properties }]) => Type === "AWS::RDS::DBInstance" && !isReplica(Properties),
  );
  if (servers.length > 1)
    throw new Error(
      `the local runner has one PostgreSQL; the template has ${servers.length} of AWS::RDS::DBInstance (${servers.map(([id]) => id).join(", ")})`,
    );
  return creationOrder(new Map(entries));
}

/** Depth first: a resource comes after those that it refers to or depends on. */
function creationOrder(entries: ReadonlyMap<string, TemplateResource>): Wanted[] {
  const order = new Map<string, Wanted>();
  const visit = (logicalId: string, path: readonly string[]): void => {
    const entry = entries.get(logicalId);
    if (order.has(logicalId) || entry === undefined) return;
    if (path.includes(logicalId))
      throw new Error(`resources need each other: ${[...path, logicalId].join(" -> ")}`);
    const needed = [...references(entry.Properties), ...[entry.DependsOn ?? []].flat()];
    for (const each of needed) visit(each, [...path, logicalId]);
    order.set(logicalId, { logicalId, entry });
  };
  for (const logicalId of entries.keys()) visit(logicalId, []);
  return [...order.values()];
}

/** A resource's properties without intrinsic functions. */
export const propertiesOf = ({ entry }: Wanted, scope: Scope): Json =>
  evaluate(entry.Properties ?? {}, scope) as Json;

/** Names of the properties in which two states of a resource differ. */
export const differences = (before: Json, after: Json): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (name) => !isDeepStrictEqual(before[name], after[name]),
  );

/**
 * How a change of these properties is made.
 *
 * @throws Error that names the properties that the runner cannot change.
 */
export function effectOf(wanted: Wanted, type: ResourceType, properties: string[]): Effect {
  const { logicalId, entry } = wanted;
  const effects = properties.map((name) => type.changes[name] ?? type.changes["*"]);
  const fixed = properties.filter((_, index) => effects[index] === undefined);
  if (fixed.length > 0)
    throw new Error(
      `the local runner does not change ${fixed.join(", ")} of ${entry.Type} (${logicalId}); stop it and start the new template instead`,
    );
  return effects.includes("replace") ? "replace" : "update";
}

/**
 * Find changes that are impossible, before anything is changed. A resource that refers to a
 * replaced resource counts as changed, because the new name is not known yet.
 *
 * @throws Error as `effectOf`, or if a logical id gets another type.
 */
export function assertChangeable(
  wanted: readonly Wanted[],
  former: ReadonlyMap<string, StackResource>,
  scope: Scope,
  typeOf: TypeOf,
): void {
  const renewed = new Set<string>();
  for (const each of wanted) {
    const { logicalId, entry } = each;
    const before = former.get(logicalId);
    const type = typeOf(entry.Type);
    if (before !== undefined && before.type !== entry.Type)
      throw new Error(
        `${logicalId} is a ${before.type} and cannot become a ${entry.Type}: Update of resource type is not permitted`,
      );
    if (before === undefined || type === undefined) {
      renewed.add(logicalId);
      continue;
    }
    const changed = changedProperties(entry, before, renewed, scope);
    if (changed.length > 0 && effectOf(each, type, changed) === "replace") renewed.add(logicalId);
  }
}

function changedProperties(
  { Properties = {} }: TemplateResource,
  before: StackResource,
  renewed: ReadonlySet<string>,
  scope: Scope,
): string[] {
  const mentionsNew = (value: unknown): boolean =>
    [...references(value)].some((name) => renewed.has(name));
  const names = new Set([...Object.keys(before.properties), ...Object.keys(Properties)]);
  return [...names].filter((name) => {
    const value = Properties[name];
    if (mentionsNew(value)) return true;
    const now = evaluate(value, scope);
    return !isDeepStrictEqual(before.properties[name], now === NO_VALUE ? undefined : now);
  });
}
