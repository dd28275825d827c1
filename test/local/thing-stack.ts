import type { Json } from "../../local/cloudformation/assembly.ts";
import type { Resource, ResourceType } from "../../local/cloudformation/resource.ts";
import { Stack } from "../../local/cloudformation/stack.ts";

/** A stack whose resources are nothing but their properties, and what was done to them. */
export interface ThingStack {
  readonly stack: Stack;
  /** The properties of each resource when it was created last. */
  readonly made: Readonly<Record<string, Json>>;
  /** `create A`, `update A {…}`, `delete ref-A-1`, …; cleared by each call. */
  readonly events: () => string[];
  /** Lines for people. */
  readonly progress: string[];
  /** Let an event fail, by its beginning; nothing, with an empty one. */
  readonly fail: (event: string) => void;
}

/** Types: `Thing`, of which `Name` is replaced and `Fixed` cannot be changed; and `Renamer`. */
export function thingStack(): ThingStack {
  const made: Record<string, Json> = {};
  const events: string[] = [];
  const progress: string[] = [];
  let failing = "";
  let count = 0;
  const happens = (event: string): void => {
    events.push(event);
    if (failing !== "" && event.startsWith(failing)) throw new Error(`${event} was told to fail`);
  };
  const attributes = { Arn: "arn", "A.B": "nested" };
  const create = ({ logicalId, properties }: Resource) => {
    happens(`create ${logicalId}`);
    made[logicalId] = properties;
    count += 1;
    const arn = `arn-${logicalId}`;
    return { ref: `ref-${logicalId}-${count}`, attributes: { ...attributes, Arn: arn } };
  };
  const thing: ResourceType = {
    changes: { Name: "replace", X: "update" },
    create,
    update: ({ logicalId, properties }, { ref, attributes: kept = {} }) => {
      happens(`update ${logicalId} ${JSON.stringify(properties)}`);
      return { ref, attributes: kept };
    },
    remove: ({ ref, properties }) => happens(`delete ${ref} ${JSON.stringify(properties)}`),
  };
  // as a custom resource that answers an update with another physical id
  const renamer: ResourceType = {
    ...thing,
    update: (resource, { ref }) => {
      happens(`update ${ref} ${JSON.stringify(resource.properties)}`);
      return { ref: `ref-${String(resource.properties.X)}`, attributes };
    },
  };
  const types: Readonly<Record<string, ResourceType>> = { Thing: thing, Renamer: renamer };
  const stack = new Stack({
    account: { id: "123456789012", region: "eu-west-1" },
    name: "Stack",
    typeOf: (type) => types[type],
    resolveSecret: ({ id, key, stage, version }) => `"${[id, key, stage, version].join("|")}"`,
    onProgress: (line) => void progress.push(line),
  });
  return {
    stack,
    made,
    events: () => events.splice(0),
    progress,
    fail: (event) => {
      failing = event;
    },
  };
}
