import type { Path } from "../manifest/change.ts";
import { listIn, mapIn, textIn, type WrittenMap } from "../manifest/written.ts";
import type { Annotations } from "./annotations.ts";

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

/** The number of a container's user. Empty: only its image knows it. */
export const userIn = (spec: WrittenMap, { written }: PodContainer): string =>
  textIn(mapIn(written.securityContext).runAsUser) || textIn(mapIn(spec.securityContext).runAsUser);

/**
 * The one user of all these containers, with their group if they have one. Undefined if there are
 * several users, if it is root, or if only their images know it.
 */
export function userOf(
  spec: WrittenMap,
  containers: readonly PodContainer[],
): ProcessUser | undefined {
  const pod = mapIn(spec.securityContext);
  const [user = "", ...otherUsers] = new Set(containers.map((each) => userIn(spec, each)));
  if (!/^[1-9]\d{0,9}$/.test(user) || otherUsers.length > 0) return undefined;
  const [group = "", ...otherGroups] = new Set(
    containers.map(
      ({ written }) =>
        textIn(mapIn(written.securityContext).runAsGroup) || textIn(pod.runAsGroup) || user,
    ),
  );
  const isOne = /^\d{1,10}$/.test(group) && otherGroups.length === 0;
  return { user: Number(user), group: Number(isOne ? group : user) };
}

/** Whether the pod shares its node's network. */
export const hasHostNetwork = (spec: WrittenMap): boolean => spec.hostNetwork === "true";

const OS_LABELS = ["kubernetes.io/os", "beta.kubernetes.io/os"];
const WINDOWS = "windows";

/** What says that a pod runs on Windows, in words. Undefined: nothing. */
export function windowsReason(spec: WrittenMap): string | undefined {
  if (textIn(mapIn(spec.os).name) === WINDOWS) return `spec.os.name is ${WINDOWS}`;
  const label = OS_LABELS.find((each) => textIn(mapIn(spec.nodeSelector)[each]) === WINDOWS);
  if (label !== undefined) return `spec.nodeSelector has ${label}: ${WINDOWS}`;
  const affinity = mapIn(mapIn(spec.affinity).nodeAffinity);
  const required = mapIn(affinity.requiredDuringSchedulingIgnoredDuringExecution);
  // one term is enough for a node, and one that says nothing takes none
  const terms = listIn(required.nodeSelectorTerms).map(mapIn).filter(isTerm);
  if (terms.length > 0 && terms.every(needsWindows)) return "its node affinity asks for Windows";
  if (hasWindowsOptions(spec)) return "its securityContext has windowsOptions";
  const container = containersIn(spec).find(({ written }) => hasWindowsOptions(written));
  return container && `the container "${container.name}" has windowsOptions`;
}

/** Null is none. */
const hasWindowsOptions = ({ securityContext }: WrittenMap): boolean =>
  typeof mapIn(securityContext).windowsOptions === "object";

const isTerm = ({ matchExpressions, matchFields }: WrittenMap): boolean =>
  listIn(matchExpressions).length > 0 || listIn(matchFields).length > 0;

/** Whether a term of a node affinity takes no node of Linux. */
const needsWindows = ({ matchExpressions }: WrittenMap): boolean =>
  listIn(matchExpressions)
    .map(mapIn)
    .some(({ key, operator, values }) => {
      if (!OS_LABELS.includes(textIn(key))) return false;
      const systems = listIn(values).map(textIn);
      if (textIn(operator) === "NotIn") return systems.includes("linux");
      const isOne = textIn(operator) === "In" && systems.length > 0;
      return isOne && systems.every((each) => each === WINDOWS);
    });

/** A pod, or the template of pods, of one resource. */
export interface PodTemplate {
  /** From the document to the pod or its template. */
  readonly at: Path;
  /** Of the resource. */
  readonly kind: string;
  readonly annotations: Annotations;
  readonly spec: WrittenMap;
  /** Volumes that a StatefulSet claims for each of its pods. They are not in the spec. */
  readonly claims: readonly string[];
}
