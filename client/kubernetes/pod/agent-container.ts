import { AGENT_IMAGE, READY_COMMAND } from "../../../core/agent-image.ts";
import type { Made } from "../manifest/written.ts";
import type { ProcessUser } from "./pod.ts";

/** The names of what is added to a pod. */
export const AGENT = "mayfly-agent";
/** The init container of clusters without native sidecars. */
export const FIRST_AGENT = "mayfly-agent-once";
export const VOLUME = "mayfly-agent";

/** The variable with the agent's configuration. */
export const CONFIGURATION = "MAYFLY_AGENT_CONFIG";

export const configurationText = (json: object): string => JSON.stringify(json, null, 2);

/** As the image starts it: with these options of Node it need not start itself again. */
const PROGRAM = [
  AGENT_IMAGE.node,
  "--disable-sigusr1",
  "--max-semi-space-size=1",
  "--max-old-space-size=64",
  AGENT_IMAGE.program,
];

/** Measured idle with one lease: 80 MB. */
const RESOURCES = {
  requests: { cpu: "10m", memory: "96Mi" },
  limits: { memory: "256Mi" },
};

/** Files, keys and tokens: a few kilobytes. */
const VOLUME_SIZE = "8Mi";

/** What every container of the agent in a pod has. */
export interface AgentContainerOptions {
  readonly image: string;
  /** Undefined: the container says none. */
  readonly user: ProcessUser | undefined;
  readonly path: string;
  /** The configuration. */
  readonly json: object;
  /** Variables of leases. */
  readonly variables: readonly Made[];
  readonly resources: { readonly [key: string]: Made } | undefined;
}

/** An init container that ends when the files are written. */
export const onceContainer = (name: string, options: AgentContainerOptions): Made =>
  container(name, options, { command: [...PROGRAM, "--once"] });

/** A container that stays: it has started when every login works. */
export function stayingContainer(
  options: AgentContainerOptions,
  { isNative, probe }: { readonly isNative: boolean; readonly probe: Made },
): Made {
  return container(AGENT, options, {
    command: PROGRAM,
    ...(isNative && { restartPolicy: "Always" }),
    startupProbe: probe,
  });
}

function container(
  name: string,
  { image, user, path, json, variables, resources }: AgentContainerOptions,
  rest: { readonly [key: string]: Made },
): Made {
  return {
    name,
    image,
    ...rest,
    env: [{ name: CONFIGURATION, value: unexpanded(configurationText(json)) }, ...variables],
    resources: resources ?? RESOURCES,
    securityContext: {
      runAsNonRoot: true,
      ...(user !== undefined && { runAsUser: user.user, runAsGroup: user.group }),
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [{ name: VOLUME, mountPath: path }],
  };
}

/** Kubernetes replaces `$(NAME)` in values, and `$$` by `$`. */
const unexpanded = (text: string): string => text.replaceAll("$", "$$$$");

/** Two minutes, and the time of the probes. */
const PROBING = { periodSeconds: 2, timeoutSeconds: 10, failureThreshold: 60 };

/** Asks the agent's health port whether every login works, and every file was written. */
export const readyProbe: Made = {
  exec: { command: READY_COMMAND },
  ...PROBING,
};

/** Looks for sockets and files, where a health port would be the whole node's. */
export const pathsProbe = (paths: readonly string[]): Made => ({
  exec: {
    command: [
      AGENT_IMAGE.node,
      "-e",
      "process.argv.slice(1).forEach((path) => fs.accessSync(path))",
      ...paths,
    ],
  },
  ...PROBING,
});

export const memoryVolume: Made = {
  name: VOLUME,
  emptyDir: { medium: "Memory", sizeLimit: VOLUME_SIZE },
};

export const mountAt = (path: string): Made => ({ name: VOLUME, mountPath: path, readOnly: true });
