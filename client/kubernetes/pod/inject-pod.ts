import { AGENT_IMAGE } from "../../../core/agent-image.ts";
import type { Change, Path } from "../manifest/change.ts";
import { type Made, mapIn, textIn, type WrittenMap } from "../manifest/written.ts";
import {
  AGENT,
  type AgentContainerOptions,
  FIRST_AGENT,
  memoryVolume,
  mountAt,
  onceContainer,
  pathsProbe,
  readyProbe,
  stayingContainer,
  VOLUME,
} from "./agent-container.ts";
import { isAgent, OWN } from "./agent-in-pod.ts";
import { agentJson, checkAgentJson } from "./agent-json.ts";
import { INHERITED_USER, INJECTED, PREFIX } from "./annotations.ts";
import {
  checkGivenUser,
  checkHostNetwork,
  checkInherited,
  checkPod,
  checkPorts,
  checkSize,
  checkSockets,
  checkUser,
  freePort,
  isVolumeSeen,
  pathsOf,
} from "./check-pod.ts";
import { leaseSources } from "./lease-sources.ts";
import {
  containersIn,
  hasHostNetwork,
  type PodContainer,
  type PodTemplate,
  userOf,
} from "./pod.ts";
import { type ReportAnnotation, readAnnotations, shown } from "./read-annotations.ts";
import type { WantedAgent } from "./wanted.ts";

/** The image's own. */
const [user = 0, group = 0] = AGENT_IMAGE.user.split(":").map(Number);
const IMAGE_USER = { user, group };

/**
 * What must be changed in a pod template whose `mayfly/inject` is `"true"`. Problems are reported.
 *
 * @param image the agent's, unless an annotation has another.
 */
export async function injectPod(
  { at, kind, annotations, spec, claims }: PodTemplate,
  image: string | undefined,
  tell: ReportAnnotation,
): Promise<readonly Change[]> {
  const reported = new Set<string | undefined>();
  const report: ReportAnnotation = (annotation, message) => {
    reported.add(annotation);
    tell(annotation, message);
  };
  const wanted = readAnnotations(annotations, report);
  const isOurs = annotations[INJECTED] === "true";
  const all = containersIn(spec).filter((each) => !(isOurs && isAgent(each)));
  const chosen = chosenOf(wanted, all, report);
  checkPod({ kind, spec, claims, wanted, containers: all, chosen, isOurs }, report);
  const isHost = hasHostNetwork(spec);
  checkSockets(wanted, report);
  if (isHost) checkHostNetwork(wanted, report);
  else checkPorts(wanted, all, report);
  const sources = leaseSources(wanted, all, report);
  const shared = userOf(spec, chosen);
  const hasGroup = textIn(mapIn(spec.securityContext).fsGroup) !== "";
  const json = agentJson(wanted, {
    healthPort: wanted.form === "once" || isHost ? undefined : freePort(wanted, all),
    fileMode: hasGroup ? "0640" : "0644",
    grace: graceIn(spec),
    arns: sources.arns,
  });
  checkSize(json, report);
  await checkAgentJson(json, wanted, (annotation, message) => {
    // the same mistake in the agent's words
    const isKnown = annotation === undefined ? reported.size > 0 : reported.has(annotation);
    if (!isKnown) report(annotation, message);
  });
  if (wanted.user === INHERITED_USER) checkInherited(wanted, spec, chosen, report);
  else if (wanted.user !== undefined) checkGivenUser(wanted.user, wanted, spec, chosen, report);
  else if (shared === undefined) checkUser(wanted, spec, chosen, report);
  if (wanted.image === undefined && image === undefined)
    report(undefined, `no image of the agent is named; write ${PREFIX}image, or give --image`);
  return changesOf(
    {
      at,
      chosen,
      all: containersIn(spec),
      wanted,
      probe: isHost ? pathsProbe(pathsOf(wanted)) : readyProbe,
    },
    {
      image: wanted.image ?? image ?? "",
      user: wanted.user === INHERITED_USER ? undefined : (wanted.user ?? shared ?? IMAGE_USER),
      path: wanted.path,
      json,
      variables: sources.variables,
      resources: wanted.resources as { readonly [key: string]: Made } | undefined,
    },
  );
}

/** The containers that see the volume. */
function chosenOf(
  { containers }: WantedAgent,
  all: readonly PodContainer[],
  report: ReportAnnotation,
): readonly PodContainer[] {
  if (containers === undefined) return all;
  const names = all.map(({ name }) => name);
  for (const name of containers.filter((each) => !names.includes(each)))
    report(
      `${PREFIX}containers`,
      `there is no container ${shown(name)}; there are ${names.join(", ")}`,
    );
  if (containers.length === 0)
    report(`${PREFIX}containers`, `names none; write e.g. "${names.join(",")}", or remove it`);
  return all.filter(({ name }) => containers.includes(name));
}

/** The default of a pod, and what the agent needs after its sessions. Seconds. */
const DEFAULT_GRACE = 30;
const LAST_STEPS = 5;
const LONGEST_GRACE = 3_600;

function graceIn(spec: WrittenMap): number {
  const written = textIn(spec.terminationGracePeriodSeconds);
  const seconds = /^\d+$/.test(written) ? Number(written) : DEFAULT_GRACE;
  return Math.min(LONGEST_GRACE, Math.max(0, seconds - LAST_STEPS));
}

interface ChangedPod {
  readonly at: Path;
  readonly chosen: readonly PodContainer[];
  /** With Mayfly's own. */
  readonly all: readonly PodContainer[];
  readonly wanted: WantedAgent;
  readonly probe: Made;
}

function changesOf(
  { at, chosen, all, wanted, probe }: ChangedPod,
  options: AgentContainerOptions,
): readonly Change[] {
  const { form, path } = wanted;
  const spec = [...at, "spec"];
  const staying = (isNative: boolean): Made => stayingContainer(options, { isNative, probe });
  const first = {
    sidecar: () => staying(true),
    once: () => onceContainer(AGENT, options),
    // without files there is nothing to wait for
    both: () => (wanted.files.length === 0 ? undefined : onceContainer(FIRST_AGENT, options)),
  }[form]();
  const isSeen = isVolumeSeen(wanted);
  const mounts = all
    .filter(({ name }) => !OWN.includes(name))
    .map(
      ({ list, index, name }): Change => ({
        kind: "items",
        at: [...spec, list, index],
        key: "volumeMounts",
        names: [VOLUME],
        item: isSeen && chosen.some((each) => each.name === name) ? mountAt(path) : undefined,
        position: "last",
      }),
    );
  const list = (key: string, names: readonly string[], item: Made | undefined): Change => ({
    kind: "items",
    at: spec,
    key,
    names,
    item,
    position: key === "initContainers" ? "first" : "last",
  });
  return [
    { kind: "entry", at: [...at, "metadata", "annotations"], key: INJECTED, value: "true" },
    ...mounts,
    // what goes behind one last line: items before the entries of the map around them
    list("containers", OWN, form === "both" ? staying(false) : undefined),
    list("volumes", [VOLUME], memoryVolume),
    list("initContainers", OWN, first),
  ];
}
