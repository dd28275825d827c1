import type { Json } from "./assembly.ts";

/** A resource about to be made or changed: its properties hold no intrinsic function any more. */
export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Json;
  /** A name as CloudFormation makes it, at most `length` characters. */
  readonly physicalName: (length: number) => string;
}

/** What `Ref` and `Fn::GetAtt` of a resource give. */
export interface Created {
  readonly ref: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** A resource that is there, and what it was last made of. */
export interface Existing extends Created, Omit<Resource, "physicalName"> {}

/** What follows when a property is changed: in place, or by a new resource in the old one's stead. */
export type Effect = "update" | "replace";

/** The life of resources of one type. */
export interface ResourceType {
  create(resource: Resource): Created | Promise<Created>;
  /** By property, `*` for all that are not named. A change that is not in here is refused. */
  readonly changes: Readonly<Record<string, Effect>>;
  /**
   * Change it in place.
   * @default - nothing is to be done: `Ref` and attributes stay
   */
  update?(resource: Resource, former: Existing): Created | Promise<Created>;
  /** Take it away. */
  remove(resource: Existing): void | Promise<void>;
}

/** Every service brings the types of its own. */
export type ResourceTypes = Readonly<Record<string, ResourceType>>;
