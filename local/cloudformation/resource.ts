import type { Json } from "./assembly.ts";

/** A resource to create or change. Its properties contain no intrinsic functions. */
export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Json;
  /** Returns a generated name, as CloudFormation does, of at most `length` characters. */
  readonly physicalName: (length: number) => string;
}

/** The results of `Ref` and `Fn::GetAtt` for a resource. */
export interface Created {
  readonly ref: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** An existing resource and its current properties. */
export interface Existing extends Created, Omit<Resource, "physicalName"> {}

/** How a property is changed: in place, or by replacing the resource. */
export type Effect = "update" | "replace";

/** How to create, change and delete resources of one type. */
export interface ResourceType {
  create(resource: Resource): Created | Promise<Created>;
  /**
   * By property; `*` stands for all others. A change of a property that is not listed is refused.
   */
  readonly changes: Readonly<Record<string, Effect>>;
  /**
   * Change it in place.
   * @default - nothing happens: `Ref` and attributes stay
   */
  update?(resource: Resource, former: Existing): Created | Promise<Created>;
  /** Delete it. */
  remove(resource: Existing): void | Promise<void>;
}

/** Every service contributes its types. */
export type ResourceTypes = Readonly<Record<string, ResourceType>>;
