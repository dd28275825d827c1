import type { Json } from "./assembly.ts";

/** A resource about to be created: its properties hold no intrinsic function any more. */
export interface Resource {
  readonly logicalId: string;
  readonly type: string;
  readonly properties: Json;
  /** A name as CloudFormation makes it, at most `length` characters. */
  readonly physicalName: (length: number) => string;
}

/** What `Ref` and `Fn::GetAtt` of a created resource give. */
export interface Created {
  readonly ref: string;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** How resources of each type are created. Every service brings its own. */
export type ResourceTypes = Readonly<
  Record<string, (resource: Resource) => Created | Promise<Created>>
>;
