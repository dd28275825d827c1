import { join } from "node:path/posix";
import { Stack } from "aws-cdk-lib";
import type { CfnTaskDefinition, ContainerDefinition, TaskDefinition } from "aws-cdk-lib/aws-ecs";
import { AGENT_IMAGE } from "../../core/agent-image.ts";
import { type NamedLogin, OWN_NAMES } from "./agent-json.ts";
import type { AgentSidecarProps } from "./agent-sidecar-props.ts";

/** What a sidecar is added with. */
export interface SidecarToCheck {
  readonly taskDefinition: TaskDefinition;
  readonly props: AgentSidecarProps;
  readonly logins: readonly NamedLogin[];
  readonly mountPath: string;
}

/** What is wrong with a sidecar by itself, with the remedies. */
export function sidecarProblems(sidecar: SidecarToCheck): readonly string[] {
  const { taskDefinition, props, mountPath } = sidecar;
  return [
    ...(isForWindows(taskDefinition)
      ? [`${taskDefinition.node.path} runs on Windows, and the agent is for Linux; leave it out`]
      : []),
    ...userProblems(props.user),
    ...containerProblems(sidecar),
    ...volumeProblems(sidecar),
    ...(MOUNT_PATH.test(mountPath) && mountPath.length <= LONGEST_MOUNT_PATH
      ? []
      : [
          `mountPath ${JSON.stringify(mountPath)} is no path of a folder; write it from the root, e.g. "/run/mayfly", with at most ${LONGEST_MOUNT_PATH} characters`,
        ]),
  ];
}

function isForWindows(taskDefinition: TaskDefinition): boolean {
  const { runtimePlatform } = taskDefinition.node.defaultChild as CfnTaskDefinition;
  const { operatingSystemFamily = "" } = (Stack.of(taskDefinition).resolve(runtimePlatform) ??
    {}) as { readonly operatingSystemFamily?: string };
  return operatingSystemFamily.startsWith("WINDOWS");
}

const USER = /^[1-9]\d{0,8}:\d{1,9}$/;

const userProblems = (user: string | undefined): readonly string[] =>
  user === undefined || USER.test(user)
    ? []
    : [
        `user ${JSON.stringify(user)} is none; write the numbers of user and group, e.g. "1000:1000", and not root's`,
      ];

/** Containers that would not wait, or not see what they are led to. */
function containerProblems({
  taskDefinition,
  props: { containers, leases, secrets, secretsManager },
}: SidecarToCheck): readonly string[] {
  const elsewhere = containers.filter((each) => each.taskDefinition !== taskDefinition);
  const logins = Object.entries({ ...secrets, ...leases });
  const named = [...logins, ["secretsManager", secretsManager] as const].flatMap(([name, each]) =>
    (each?.variables ?? [])
      .filter((container) => !containers.includes(container))
      .map((container) => ({ name, container })),
  );
  return [
    ...(containers.length === 0
      ? ["containers is empty, so nothing waits for the sidecar; name the application's"]
      : []),
    ...containers
      .filter((each, index) => containers.indexOf(each) !== index)
      .map(({ node }) => `containers has ${node.path} twice; write it once`),
    ...elsewhere.map(
      ({ node }) =>
        `containers has ${node.path}, which is in another task than ${taskDefinition.node.path}; give its task a sidecar of its own`,
    ),
    ...named.map(
      ({ name, container }) =>
        `variables of ${name} has ${container.node.path}, which does not wait for the sidecar; write it in containers too`,
    ),
  ];
}

const MOUNT_PATH = /^(?:\/[\w-][\w.-]*){1,20}$/;
const LONGEST_MOUNT_PATH = 60;

/** Of a socket, for every system: the agent refuses more at its start, and libpq too. */
const LONGEST_SOCKET = 103;
const SOCKET_NAME = ".s.PGSQL.5432";

/** What would be written outside of the volume, or over something of the agent's. */
function volumeProblems({
  props: { files = [] },
  logins,
  mountPath,
}: SidecarToCheck): readonly string[] {
  const sockets = logins.flatMap(({ name, proxy }) =>
    proxy?.kind === "socket"
      ? [{ what: `the socket's folder of ${name}`, path: proxy.folder }]
      : [],
  );
  const written = [
    ...files.map(({ path }, index) => ({ what: `files[${index}].path`, path })),
    ...sockets,
  ];
  const isIn = (path: string, folder: string): boolean => `${path}/`.startsWith(`${folder}/`);
  const tooLong = sockets.flatMap(({ what, path }) =>
    [AGENT_IMAGE.folder, mountPath]
      .map((folder) => `${folder}/${path}/${SOCKET_NAME}`)
      .filter((each) => each.length > LONGEST_SOCKET)
      .slice(0, 1)
      .map(
        (each) =>
          `${what} is too long: ${each} has ${each.length} characters, of ${LONGEST_SOCKET}; give the login a shorter name, or a shorter mountPath`,
      ),
  );
  const misplaced = written.flatMap(({ what, path }) => {
    const shown = `${what}, ${JSON.stringify(path)},`;
    if (path === "" || path.split("/").some((part) => ["", ".", ".."].includes(part)))
      return [`${shown} is no path below the volume; write e.g. "orders.env"`];
    const own = OWN_NAMES.find((each) => isIn(path, each));
    if (own !== undefined) return [`${shown} is the agent's own; choose another name`];
    const other = sockets.find((each) => each.what !== what && isIn(path, each.path));
    return other === undefined
      ? []
      : [`${shown} is ${other.what}, or in it; choose another name for one of them`];
  });
  return [...misplaced, ...tooLong];
}

/** Ports of 127.0.0.1 that a sidecar of this app listens on. */
const PORTS_OF = new WeakMap<ContainerDefinition, ReadonlySet<number>>();

/** What a container of a template has. */
interface Rendered {
  readonly portMappings?: readonly {
    readonly containerPort?: number;
    readonly containerPortRange?: string;
    readonly protocol?: string;
  }[];
  readonly mountPoints?: readonly { readonly containerPath?: string }[];
  readonly linuxParameters?: { readonly tmpfs?: readonly { readonly containerPath?: string }[] };
}

/**
 * Find at the synthesis what containers of the task have, or got later, that the sidecar has too: a
 * port, or the folder where they see its volume.
 *
 * @param ports that the sidecar listens on
 * @param mountPath undefined: there is no volume
 */
export function checkBeside(
  sidecar: ContainerDefinition,
  { ports, mountPath }: { readonly ports: readonly number[]; readonly mountPath?: string },
  readers: readonly ContainerDefinition[],
): void {
  PORTS_OF.set(sidecar, new Set(ports));
  const { taskDefinition, node } = sidecar;
  node.addValidation({
    validate: () => [
      ...taskDefinition.node.children
        .filter((each) => each !== sidecar && "taskDefinition" in each)
        .flatMap((each) => {
          const other = each as ContainerDefinition;
          return ports
            .filter((port) => listensOn(other, port))
            .map(
              (port) =>
                `${node.path} listens on port ${port}, which is one of ${other.node.path} too; choose another`,
            );
        }),
      ...readers
        .filter((reader) => mountPath !== undefined && pathsIn(reader, mountPath).length > 1)
        .map(
          ({ node: { path } }) =>
            `${path} has something else at ${mountPath}, where it would see the volume of ${node.path}; choose another mountPath`,
        ),
    ],
  });
}

const rendered = (container: ContainerDefinition): Rendered =>
  Stack.of(container).resolve(container.renderContainerDefinition()) as Rendered;

function listensOn(container: ContainerDefinition, port: number): boolean {
  const { portMappings = [] } = rendered(container);
  return (
    PORTS_OF.get(container)?.has(port) === true ||
    portMappings.some(({ containerPort, containerPortRange, protocol }) => {
      const [first = 0, last = first] = containerPortRange?.split("-").map(Number) ?? [];
      return protocol !== "udp" && (containerPort === port || (first <= port && port <= last));
    })
  );
}

/** The mounts of a container at a folder or in it. */
function pathsIn(container: ContainerDefinition, folder: string): readonly string[] {
  const { mountPoints = [], linuxParameters } = rendered(container);
  return [...mountPoints, ...(linuxParameters?.tmpfs ?? [])]
    .map(({ containerPath = "" }) => `${join("/", containerPath)}/`.replace(/\/+$/, "/"))
    .filter((path) => path.startsWith(`${folder}/`));
}
