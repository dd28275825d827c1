import { LONGEST_PATH, SOCKET_NAME } from "../../proxy/listener.ts";
import { listIn, mapIn, textIn, type WrittenMap } from "../manifest/written.ts";
import { CONFIGURATION, configurationText, VOLUME } from "./agent-container.ts";
import { isAgentVolume, OWN } from "./agent-in-pod.ts";
import { TOKEN_FILE } from "./agent-json.ts";
import { INHERITED_USER, PREFIX } from "./annotations.ts";
import { portsIn } from "./container-ports.ts";
import {
  type PodContainer,
  type PodTemplate,
  type ProcessUser,
  userIn,
  windowsReason,
} from "./pod.ts";
import type { ReportAnnotation } from "./read-annotations.ts";
import type { WantedAgent } from "./wanted.ts";

interface CheckedPod extends Pick<PodTemplate, "kind" | "spec" | "claims"> {
  readonly wanted: WantedAgent;
  readonly containers: readonly PodContainer[];
  readonly chosen: readonly PodContainer[];
  /** It has what Mayfly added. */
  readonly isOurs: boolean;
}

export function checkPod(
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
export const isVolumeSeen = ({ files, secretsManager, logins }: WantedAgent): boolean =>
  files.length > 0 ||
  secretsManager !== undefined ||
  logins.some(({ proxy }) => proxy === "socket");

const socketOf = (path: string, name: string): string => `${path}/${name}/${SOCKET_NAME}`;

export function checkSockets(
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

export function checkSize(json: object, report: ReportAnnotation): void {
  const bytes = Buffer.byteLength(`${CONFIGURATION}=${configurationText(json)}`);
  if (bytes > LONGEST_VARIABLE)
    report(
      undefined,
      `the agent's configuration has ${bytes} bytes, and a variable of Linux takes ${LONGEST_VARIABLE}; write shorter templates`,
    );
}

/** What is there when the agent has begun. */
export const pathsOf = ({ path, logins, files }: WantedAgent): readonly string[] => [
  ...logins.flatMap(({ name, proxy }) => (proxy === "socket" ? [socketOf(path, name)] : [])),
  ...files.map(({ file }) => `${path}/${file}`),
];

export function checkHostNetwork(wanted: WantedAgent, report: ReportAnnotation): void {
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

export function checkPorts(
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

export function freePort(wanted: WantedAgent, containers: readonly PodContainer[]): number {
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

/** Where no annotation says the agent's user, and its containers do not say one either. */
export function checkUser(
  wanted: WantedAgent,
  spec: WrittenMap,
  chosen: readonly PodContainer[],
  report: ReportAnnotation,
): void {
  const known = chosen.filter((each) => userIn(spec, each) !== "");
  const [first] = known;
  const user = first && userIn(spec, first);
  const other = known.find((each) => userIn(spec, each) !== user);
  const isRoot = user === "0" && known.length === chosen.length;
  const problem =
    first !== undefined && other !== undefined
      ? `the containers "${first.name}" and "${other.name}" have different users; give them one, or leave one out with ${PREFIX}containers`
      : isRoot
        ? `the containers run as root, which the agent does not; set ${PREFIX}user to numbers of another user and group`
        : `the containers' user is not in the manifest; set ${PREFIX}user to the numbers of the containers' user and group`;
  for (const { annotation, why, orElse } of forOneUser(wanted))
    report(annotation, `${why}, and ${problem}${orElse}`);
}

/** Where an annotation says the agent's user. Root enters and reads what is another's. */
export function checkGivenUser(
  { user }: ProcessUser,
  wanted: WantedAgent,
  spec: WrittenMap,
  chosen: readonly PodContainer[],
  report: ReportAnnotation,
): void {
  const other = chosen.find((each) => !["", "0", String(user)].includes(userIn(spec, each)));
  if (other === undefined) return;
  for (const { annotation, why, orElse } of forOneUser(wanted))
    report(
      annotation,
      `${why}, and ${PREFIX}user is ${user}, but the container "${other.name}" runs as ${userIn(spec, other)}; give both one user, or leave the container out with ${PREFIX}containers${orElse}`,
    );
}

/** Where the agent has the user that the pod or the cluster gives to whoever names none. */
export function checkInherited(
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
