import type { Path } from "../manifest/change.ts";
import { listIn, mapIn, textIn, type Written, type WrittenMap } from "../manifest/written.ts";

/** A resource of a document, which may be a list of some. */
export interface Resource {
  /** From the document to the resource. */
  readonly at: Path;
  readonly kind: string;
  readonly name: string | undefined;
  readonly written: WrittenMap;
  /** From the resource to its pod, or the template of its pods. Undefined: it has none. */
  readonly template: readonly string[] | undefined;
}

const TEMPLATE = ["spec", "template"];

/** Where each kind has its pods, by the API groups that Kubernetes itself serves. */
const TEMPLATES: ReadonlyMap<
  string,
  { readonly groups: RegExp; readonly template: readonly string[] }
> = new Map([
  ["Pod", { groups: /^v1$/, template: [] }],
  ["ReplicationController", { groups: /^v1$/, template: TEMPLATE }],
  ["Deployment", { groups: /^(?:apps|extensions)\//, template: TEMPLATE }],
  ["StatefulSet", { groups: /^apps\//, template: TEMPLATE }],
  ["DaemonSet", { groups: /^(?:apps|extensions)\//, template: TEMPLATE }],
  ["ReplicaSet", { groups: /^(?:apps|extensions)\//, template: TEMPLATE }],
  ["Job", { groups: /^batch\//, template: TEMPLATE }],
  ["CronJob", { groups: /^batch\//, template: ["spec", "jobTemplate", ...TEMPLATE] }],
]);

/** Which kinds have pods here, in words. */
export const KINDS = `${[...TEMPLATES.keys()].join(", ")}, and every other kind with spec.template.spec.containers`;

/** Such as a Rollout of Argo, or a DeploymentConfig. */
const hasTemplate = (resource: WrittenMap): boolean =>
  Array.isArray(mapIn(mapIn(mapIn(resource.spec).template).spec).containers);

/** The resources of a document: those of a list, one by one. */
export function resourcesIn(document: Written, at: Path = []): readonly Resource[] {
  const written = mapIn(document);
  const kind = textIn(written.kind);
  if (kind.endsWith("List") && Array.isArray(written.items))
    return listIn(written.items).flatMap((each, index) =>
      resourcesIn(each, [...at, "items", index]),
    );
  const name = textIn(mapIn(written.metadata).name);
  const known = TEMPLATES.get(kind);
  const isServed = known?.groups.test(textIn(written.apiVersion)) ?? false;
  const other = hasTemplate(written) ? TEMPLATE : undefined;
  return [
    {
      at,
      kind,
      name: name === "" ? undefined : name,
      written,
      template: isServed ? known?.template : other,
    },
  ];
}
