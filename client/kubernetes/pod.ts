/**
 * Manifests as they are read: every scalar is a text. What is a number or a truth to Kubernetes is
 * written as in JSON: `yes` is `true`, `0400` is `256`, and null is empty. Nothing of the shape is
 * known for sure.
 */
export type Written = string | readonly Written[] | { readonly [key: string]: Written };

export type WrittenMap = Readonly<Record<string, Written>>;

/** A map, or an empty one for anything else. */
export const mapIn = (value: Written | undefined): WrittenMap =>
  typeof value === "object" && !Array.isArray(value) ? (value as WrittenMap) : {};

/** A list, or an empty one for anything else. */
export const listIn = (value: Written | undefined): readonly Written[] =>
  Array.isArray(value) ? (value as readonly Written[]) : [];

/** A text, or an empty one for anything else. */
export const textIn = (value: Written | undefined): string =>
  typeof value === "string" ? value : "";

/** A container with the list of the pod that it stands in. */
export interface PodContainer {
  readonly list: "initContainers" | "containers";
  readonly index: number;
  readonly name: string;
  readonly written: WrittenMap;
}

/** The containers of a pod's spec. */
export const containersIn = (spec: WrittenMap): readonly PodContainer[] =>
  (["initContainers", "containers"] as const).flatMap((list) =>
    listIn(spec[list]).map((each, index) => {
      const written = mapIn(each);
      return { list, index, name: textIn(written.name), written };
    }),
  );

/** User and group of a process, by their numbers. */
export interface ProcessUser {
  readonly user: number;
  readonly group: number;
}

/**
 * The one user of all these containers. Undefined if there are several, if it is root, or if only
 * their images know it.
 */
export function userOf(
  spec: WrittenMap,
  containers: readonly PodContainer[],
): ProcessUser | undefined {
  const pod = mapIn(spec.securityContext);
  const users = containers.map(({ written }) => {
    const own = mapIn(written.securityContext);
    const user = textIn(own.runAsUser) || textIn(pod.runAsUser);
    const group = textIn(own.runAsGroup) || textIn(pod.runAsGroup);
    return `${user}:${group === "" ? user : group}`;
  });
  const [first = "", ...others] = new Set(users);
  const [, user, group] = /^([1-9]\d{0,9}):(\d{1,10})$/.exec(first) ?? [];
  if (user === undefined || group === undefined || others.length > 0) return undefined;
  return { user: Number(user), group: Number(group) };
}

/** Whether the pod shares its node's network. */
export const hasHostNetwork = (spec: WrittenMap): boolean => spec.hostNetwork === "true";

/** Whether it runs on Windows. */
export const isForWindows = (spec: WrittenMap): boolean =>
  textIn(mapIn(spec.os).name) === "windows" ||
  ["kubernetes.io/os", "beta.kubernetes.io/os"].some(
    (label) => textIn(mapIn(spec.nodeSelector)[label]) === "windows",
  ) ||
  [spec, ...containersIn(spec).map(({ written }) => written)].some(
    (each) => mapIn(each.securityContext).windowsOptions !== undefined,
  );
