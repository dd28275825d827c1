import { isDeepStrictEqual } from "node:util";
import { AGENT_IMAGE } from "../../core/agent-image.ts";
import { leaseVariable } from "../../core/names.ts";
import { ALIAS_ARN } from "../keeper/sources/issuer.ts";
import { LONGEST_PATH, SOCKET_NAME } from "../proxy/listener.ts";
import {
  AGENT,
  type AgentContainerOptions,
  CONFIGURATION,
  configurationText,
  FIRST_AGENT,
  type Made,
  memoryVolume,
  mountAt,
  onceContainer,
  pathsProbe,
  readyProbe,
  stayingContainer,
  VOLUME,
} from "./agent-container.ts";
import { agentJson, checkAgentJson, TOKEN_FILE } from "./agent-json.ts";
import { type Annotations, INHERITED_USER, INJECTED, PREFIX } from "./annotations.ts";
import type { Change, Path } from "./change.ts";
import { portsIn } from "./container-ports.ts";
import {
  containersIn,
  hasHostNetwork,
  listIn,
  mapIn,
  type PodContainer,
  textIn,
  userOf,
  type Written,
  type WrittenMap,
  windowsReason,
} from "./pod.ts";
import { type ReportAnnotation, readAnnotations, shown } from "./read-annotations.ts";
import type { WantedAgent, WantedLogin } from "./wanted.ts";

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

/** Names of containers that are Mayfly's own. */
const OWN = [AGENT, FIRST_AGENT];

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
  if (wanted.user === undefined && shared === undefined) checkUser(wanted, report);
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

/** Whether a container is what Mayfly adds, and not only called so. */
const isAgent = ({ name, written }: PodContainer): boolean =>
  OWN.includes(name) && listIn(written.env).some((each) => mapIn(each).name === CONFIGURATION);

const isAgentVolume = (volume: Written): boolean =>
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

interface CheckedPod extends Pick<PodTemplate, "kind" | "spec" | "claims"> {
  readonly wanted: WantedAgent;
  readonly containers: readonly PodContainer[];
  readonly chosen: readonly PodContainer[];
  /** It has what Mayfly added. */
  readonly isOurs: boolean;
}

function checkPod(
  { kind, spec, claims, wanted, containers, chosen, isOurs }: CheckedPod,
  report: ReportAnnotation,
): void {
  const windows = windowsReason(spec);
  if (windows !== undefined)
    report(
      undefined,
      `its nodes run Windows (${windows}), and the agent is for Linux; leave out the annotations`,
    );
  const ends =
    ["Job", "CronJob"].includes(kind) ||
    ["Never", "OnFailure"].includes(textIn(spec.restartPolicy));
  if (wanted.form === "both" && ends)
    report(
      `${PREFIX}native`,
      `a ${kind} would not end while an agent runs beside it; write ${PREFIX}init-only, or use a cluster of 1.29 or later`,
    );
  if (listIn(spec.containers).length === 0) report(undefined, "has no containers");
  for (const { name } of containers.filter((each) => OWN.includes(each.name)))
    report(undefined, `has a container "${name}" that Mayfly did not add; rename or remove it`);
  const isTaken = listIn(spec.volumes).some(
    (each) => mapIn(each).name === VOLUME && !(isOurs && isAgentVolume(each)),
  );
  if (isTaken || claims.includes(VOLUME))
    report(undefined, `has a volume "${VOLUME}" that Mayfly did not add; rename or remove it`);
  if (!isVolumeSeen(wanted)) return;
  for (const { name, written } of chosen)
    for (const mount of listIn(written.volumeMounts).map(mapIn)) {
      const path = textIn(mount.mountPath).replace(/\/+$/, "");
      if (textIn(mount.name) === VOLUME || !`${path}/`.startsWith(`${wanted.path}/`)) continue;
      report(
        `${PREFIX}path`,
        path === wanted.path
          ? `the container "${name}" mounts another volume at ${wanted.path}; choose another path`
          : `the container "${name}" mounts another volume at ${path}, and cannot below ${wanted.path}, which is read-only; choose another path`,
      );
    }
}

/** Ports alone need no volume. */
const isVolumeSeen = ({ files, secretsManager, logins }: WantedAgent): boolean =>
  files.length > 0 ||
  secretsManager !== undefined ||
  logins.some(({ proxy }) => proxy === "socket");

const socketOf = (path: string, name: string): string => `${path}/${name}/${SOCKET_NAME}`;

function checkSockets(
  { logins, path, secretsManager }: WantedAgent,
  report: ReportAnnotation,
): void {
  for (const { name } of logins.filter(({ proxy }) => proxy === "socket")) {
    if (secretsManager !== undefined && name === TOKEN_FILE)
      report(`${PREFIX}proxy-${name}`, `"${name}" is a file of the agent's; choose another name`);
    const bytes = Buffer.byteLength(socketOf(path, name));
    if (bytes > LONGEST_PATH)
      report(
        `${PREFIX}proxy-${name}`,
        `the path of its socket would have ${bytes} bytes, and ${LONGEST_PATH} are possible; choose a shorter ${PREFIX}path, or a shorter name of the login`,
      );
  }
}

/** What Linux takes of one variable, with its name. Unit: bytes. */
const LONGEST_VARIABLE = 128 * 1_024 - 1;

function checkSize(json: object, report: ReportAnnotation): void {
  const bytes = Buffer.byteLength(`${CONFIGURATION}=${configurationText(json)}`);
  if (bytes > LONGEST_VARIABLE)
    report(
      undefined,
      `the agent's configuration has ${bytes} bytes, and a variable of Linux takes ${LONGEST_VARIABLE}; write shorter templates`,
    );
}

/** What is there when the agent has begun. */
const pathsOf = ({ path, logins, files }: WantedAgent): readonly string[] => [
  ...logins.flatMap(({ name, proxy }) => (proxy === "socket" ? [socketOf(path, name)] : [])),
  ...files.map(({ file }) => `${path}/${file}`),
];

function checkHostNetwork(wanted: WantedAgent, report: ReportAnnotation): void {
  const why = "is a port of the whole node, because the pod has hostNetwork";
  for (const { name, proxy } of wanted.logins)
    if (typeof proxy === "number")
      report(`${PREFIX}proxy-${name}`, `${proxy} ${why}; write "socket"`);
  if (wanted.secretsManager !== undefined)
    report(
      `${PREFIX}secrets-manager`,
      `${wanted.secretsManager} ${why}; use a proxy with "socket", or files`,
    );
}

function checkPorts(
  wanted: WantedAgent,
  containers: readonly PodContainer[],
  report: ReportAnnotation,
): void {
  const taken = portsIn(containers);
  for (const [annotation, port] of wantedPorts(wanted)) {
    const holder = taken.get(port);
    if (holder !== undefined)
      report(annotation, `${port} is a port of the container "${holder}"; choose another`);
  }
}

const wantedPorts = ({
  logins,
  secretsManager,
}: WantedAgent): readonly (readonly [string, number])[] => [
  ...logins.flatMap(({ name, proxy }) =>
    typeof proxy === "number" ? [[`${PREFIX}proxy-${name}`, proxy] as const] : [],
  ),
  ...(secretsManager === undefined ? [] : [[`${PREFIX}secrets-manager`, secretsManager] as const]),
];

/** The agent's health port: nobody but its probe asks there. */
const HEALTH_PORT = 9_127;

function freePort(wanted: WantedAgent, containers: readonly PodContainer[]): number {
  const taken = new Set([
    ...portsIn(containers).keys(),
    ...wantedPorts(wanted).map(([, port]) => port),
  ]);
  let port = HEALTH_PORT;
  while (taken.has(port)) port += 1;
  return port;
}

interface OneUserOnly {
  readonly annotation: string;
  readonly why: string;
  /** What would do in its place, in words. */
  readonly orElse: string;
}

/** Sockets, and what libpq calls a password file, are for one user alone. */
const forOneUser = ({ logins, files }: WantedAgent): readonly OneUserOnly[] => [
  ...logins
    .filter(({ proxy }) => proxy === "socket")
    .map(({ name }) => ({
      annotation: `${PREFIX}proxy-${name}`,
      why: "only the agent's own user may enter the socket's folder",
      orElse: "",
    })),
  ...files
    .filter(
      ({ content, mode }) =>
        content.kind === "format" && content.format === "pgpass" && mode === undefined,
    )
    .map(({ name }) => ({
      annotation: `${PREFIX}format-${name}`,
      why: "libpq reads pgpass only if it is for one user alone",
      orElse: ", or use pg_service",
    })),
];

function checkUser(wanted: WantedAgent, report: ReportAnnotation): void {
  for (const { annotation, why, orElse } of forOneUser(wanted))
    report(
      annotation,
      `${why}, and the containers' user is not in the manifest; set ${PREFIX}user to the numbers of the containers' user and group${orElse}`,
    );
}

/** Where the agent has the user that the pod or the cluster gives to whoever names none. */
function checkInherited(
  wanted: WantedAgent,
  spec: WrittenMap,
  chosen: readonly PodContainer[],
  report: ReportAnnotation,
): void {
  const inherited = textIn(mapIn(spec.securityContext).runAsUser);
  if (inherited === "0")
    report(
      `${PREFIX}user`,
      `"${INHERITED_USER}" is root here, by the pod's runAsUser, and the agent does not run as root; write numbers of user and group`,
    );
  const other = chosen.find(({ written }) => {
    const own = textIn(mapIn(written.securityContext).runAsUser);
    return own !== "" && own !== inherited;
  });
  if (other === undefined) return;
  for (const { annotation, why, orElse } of forOneUser(wanted))
    report(
      annotation,
      `${why}, and the container "${other.name}" has a runAsUser of its own, which ${PREFIX}user: ${INHERITED_USER} does not follow; remove one of the two${orElse}`,
    );
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

interface LeaseSources {
  readonly arns: ReadonlyMap<string, string>;
  /** Entries of the agent's environment. */
  readonly variables: readonly Made[];
}

/** Where the ARNs of leases come from: annotations, or the variables of a container. */
function leaseSources(
  { logins }: WantedAgent,
  containers: readonly PodContainer[],
  report: ReportAnnotation,
): LeaseSources {
  const arns = new Map<string, string>();
  const variables = new Map<string, Made>();
  for (const login of logins.filter(({ kind }) => kind === "lease")) {
    const own = leaseVariable(login.name);
    if (ALIAS_ARN.test(login.source)) arns.set(login.name, login.source);
    else if (variables.has(own))
      report(
        `${PREFIX}lease-${login.name}`,
        `its variable would be ${own}, as another login's; choose a name that differs in letters or digits`,
      );
    else {
      const found = entryFor(login, containers, report);
      if (found !== undefined) variables.set(own, { ...found, name: own });
    }
  }
  return { arns, variables: [...variables.values()] };
}

function entryFor(
  { name, source }: WantedLogin,
  containers: readonly PodContainer[],
  report: ReportAnnotation,
): { readonly [key: string]: Made } | undefined {
  const annotation = `${PREFIX}lease-${name}`;
  if (!/^[a-z0-9-]+\/[a-z0-9-]+$/.test(source)) {
    report(
      annotation,
      `${shown(source)} is neither the ARN of an alias nor database/role; write arn:aws:lambda:<region>:<account>:function:<name>:<alias>`,
    );
    return undefined;
  }
  const variable = leaseVariable(source);
  const remedy = "write the alias's ARN instead";
  const entries = containers.flatMap((each) => {
    // of two with one name, Kubernetes takes the last
    const entry = listIn(each.written.env)
      .map(mapIn)
      .findLast(({ name: key }) => key === variable);
    return entry === undefined ? [] : [{ container: each.name, entry }];
  });
  const [found, ...others] = entries;
  if (found === undefined) {
    const hasMore = containers.some(({ written }) => listIn(written.envFrom).length > 0);
    report(
      annotation,
      `no container has ${variable} in its env${hasMore ? ", and what envFrom brings is not in the manifest" : ""}; ${remedy}, or add the variable`,
    );
    return undefined;
  }
  const { container, entry } = found;
  const other = others.find((each) => !isDeepStrictEqual(each.entry, entry));
  const value = textIn(entry.value);
  if (other !== undefined)
    report(
      annotation,
      `${variable} differs in the containers "${container}" and "${other.container}"; ${remedy}`,
    );
  else if (/\$\(/.test(value))
    report(
      annotation,
      `${variable} is ${shown(value)}, which names a variable that the agent does not have; ${remedy}`,
    );
  else if (entry.valueFrom === undefined && !ALIAS_ARN.test(value))
    report(annotation, `${variable} is ${shown(value)}, which is no ARN of an alias; ${remedy}`);
  else return copied(entry);
  return undefined;
}

/** An entry of a container's env, with the one value of it that is no text. */
const copied = (entry: WrittenMap): { readonly [key: string]: Made } =>
  Object.fromEntries(
    Object.entries(entry).map(([key, value]) => [
      key,
      typeof value === "string"
        ? key === "optional"
          ? value === "true"
          : value
        : copied(mapIn(value)),
    ]),
  );

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
