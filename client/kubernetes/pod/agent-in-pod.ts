import type { Change, Path } from "../manifest/change.ts";
import { listIn, mapIn, type Written } from "../manifest/written.ts";
import { AGENT, CONFIGURATION, FIRST_AGENT, VOLUME } from "./agent-container.ts";
import { INJECTED } from "./annotations.ts";
import { containersIn, type PodContainer, type PodTemplate } from "./pod.ts";

/** Names of containers that are Mayfly's own. */
export const OWN = [AGENT, FIRST_AGENT];

/** Whether a container is what Mayfly adds, and not only called so. */
export const isAgent = ({ name, written }: PodContainer): boolean =>
  OWN.includes(name) && listIn(written.env).some((each) => mapIn(each).name === CONFIGURATION);

export const isAgentVolume = (volume: Written): boolean =>
  mapIn(volume).name === VOLUME && mapIn(mapIn(volume).emptyDir).medium === "Memory";

/** Whether a pod has an agent, or the mark of one. */
export const hasAgent = ({ annotations, spec }: PodTemplate): boolean =>
  annotations[INJECTED] === "true" ||
  (containersIn(spec).some(isAgent) && listIn(spec.volumes).some(isAgentVolume));

/** What must be changed in a pod so that nothing of Mayfly's is left. Nothing if it has no mark. */
export function withoutAgent({ at, annotations, spec }: PodTemplate): readonly Change[] {
  if (annotations[INJECTED] !== "true") return [];
  const where = [...at, "spec"];
  const all = containersIn(spec);
  const without = (path: Path, key: string, names: readonly string[]): Change => ({
    kind: "items",
    at: path,
    key,
    names,
    item: undefined,
    position: "last",
  });
  const isOwnVolume = listIn(spec.volumes).some(isAgentVolume);
  return [
    { kind: "entry", at: [...at, "metadata", "annotations"], key: INJECTED, value: undefined },
    ...(isOwnVolume
      ? [
          ...all
            .filter((each) => !isAgent(each))
            .map(({ list, index }) => without([...where, list, index], "volumeMounts", [VOLUME])),
          without(where, "volumes", [VOLUME]),
        ]
      : []),
    ...(["containers", "initContainers"] as const).flatMap((list) =>
      all
        .filter((each) => each.list === list && isAgent(each))
        .map(({ name }) => without(where, list, [name])),
    ),
  ];
}
