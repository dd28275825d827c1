import { Duration, Stack } from "aws-cdk-lib";
import {
  Capability,
  type ContainerDefinition,
  ContainerDependencyCondition,
  LinuxParameters,
  LogDrivers,
  type TaskDefinition,
} from "aws-cdk-lib/aws-ecs";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { AGENT_IMAGE, READY_COMMAND } from "../../core/agent-image.ts";
import { leaseVariable } from "../../core/names.ts";
import { setVariable, variablesOf } from "../roles/workload.ts";
import {
  agentJson,
  jsonProblems,
  loginsOf,
  type NamedLogin,
  needsVolume,
  portsIn,
} from "./agent-json.ts";
import type { AgentSidecarProps } from "./agent-sidecar-props.ts";
import { checkBeside, sidecarProblems } from "./sidecar-problems.ts";
import { loopbackOf } from "./task-network.ts";
import { addOwnMemory, addSharedVolume } from "./task-volume.ts";

/** The agent's own default. */
const GRACE = Duration.seconds(25);
/** Revocation comes after the time of grace. */
const AFTER_GRACE = Duration.seconds(10);
/** The agent takes 80 to 92 MB, and the probe 66 more. */
const MEMORY_MIB = 256;
/** ECS waits no longer for a container to stop. */
const LONGEST_STOP = Duration.seconds(120);

/** The probe itself gives up after 5 seconds. */
const PROBE_TIMEOUT = Duration.seconds(6);

/**
 * Add a container with the agent to a task: its application connects to 127.0.0.1, and knows neither
 * user nor password. Call it when the task has the application's containers.
 *
 * The sidecar asks with the task role. Pass the container that this returns to
 * `DynamicRole.addConsumer`, which grants the lease and names it in the container's environment.
 *
 * @throws Error if the network mode is neither `awsvpc` nor `host`; for a port where the loopback is
 *   the machine's; with every other problem, and those that the agent would find in its
 *   configuration, one per line. What containers of the task have too, such as a port, is found at
 *   the synthesis.
 */
export function addAgentSidecar(
  taskDefinition: TaskDefinition,
  props: AgentSidecarProps,
): ContainerDefinition {
  const { containerName = "mayfly", mountPath = AGENT_IMAGE.folder } = props;
  const loopback = loopbackOf(taskDefinition);
  const logins = loginsOf(props, loopback);
  const json = agentJson(props, logins, loopback);
  const problems = [
    ...sidecarProblems({ taskDefinition, props, logins, mountPath }),
    ...jsonProblems(json),
  ];
  if (problems.length > 0) throw new Error(problems.join("\n"));
  const linuxParameters = new LinuxParameters(taskDefinition, `${containerName}-linux`, {
    // in a shared process namespace ECS's init would be no first process, and could do nothing
    ...(taskDefinition.pidMode === undefined && { initProcessEnabled: true }),
  });
  linuxParameters.dropCapabilities(Capability.ALL);
  const isShared = needsVolume(props, logins);
  if (!isShared) addOwnMemory(linuxParameters);
  const sidecar = addContainer(taskDefinition, containerName, {
    ...props,
    linuxParameters,
    json: Stack.of(taskDefinition).toJsonString(json),
  });
  if (isShared)
    addSharedVolume(taskDefinition, {
      name: containerName,
      sidecar,
      readers: props.containers,
      mountPath,
    });
  for (const container of props.containers)
    container.addContainerDependencies({
      container: sidecar,
      condition: ContainerDependencyCondition.HEALTHY,
    });
  for (const { secret } of Object.values(props.secrets ?? {}))
    secret.grantRead(sidecar.taskDefinition.taskRole);
  setVariables(props, logins, mountPath);
  needGrants(sidecar, props);
  checkBeside(
    sidecar,
    { ports: portsIn(json, logins), ...(isShared && { mountPath }) },
    props.containers,
  );
  return sidecar;
}

function addContainer(
  taskDefinition: TaskDefinition,
  name: string,
  options: AgentSidecarProps & { readonly linuxParameters: LinuxParameters; readonly json: string },
): ContainerDefinition {
  const { image, json, linuxParameters, user = AGENT_IMAGE.user, essential = false, cpu } = options;
  const { logging = ownLog(taskDefinition, name), healthCheckInterval, memoryLimitMiB } = options;
  return taskDefinition.addContainer(name, {
    image,
    command: ["--json"],
    environment: { MAYFLY_AGENT_CONFIG: json },
    user,
    readonlyRootFilesystem: true,
    linuxParameters,
    logging,
    essential,
    // a sidecar that was ended is there again, without a new task
    enableRestartPolicy: true,
    restartAttemptPeriod: Duration.seconds(60),
    stopTimeout: stopTimeout(options.grace ?? GRACE),
    healthCheck: {
      command: ["CMD", ...READY_COMMAND],
      interval: healthCheckInterval ?? Duration.seconds(10),
      timeout: PROBE_TIMEOUT,
      retries: 3,
      startPeriod: Duration.seconds(60),
    },
    ...(cpu !== undefined && { cpu }),
    memoryLimitMiB: memoryLimitMiB ?? (needsLimit(taskDefinition) ? MEMORY_MIB : undefined),
  });
}

/** Where a container has no memory of its task. */
const needsLimit = ({ isEc2Compatible, isExternalCompatible }: TaskDefinition): boolean =>
  isEc2Compatible || isExternalCompatible;

/** @throws Error if ECS would not wait that long. */
function stopTimeout(grace: Duration): Duration {
  const timeout = grace.plus(AFTER_GRACE);
  if (timeout.toSeconds() <= LONGEST_STOP.toSeconds()) return timeout;
  throw new Error(
    `grace must be at most ${LONGEST_STOP.toSeconds() - AFTER_GRACE.toSeconds()} seconds, because ECS stops a container after ${LONGEST_STOP.toSeconds()}, got ${grace.toSeconds()}`,
  );
}

const ownLog = (taskDefinition: TaskDefinition, name: string) =>
  LogDrivers.awsLogs({
    streamPrefix: name,
    logGroup: new LogGroup(taskDefinition, `${name}-log`, { retention: RetentionDays.ONE_MONTH }),
  });

/** Lead the containers that want it to the ports and sockets. */
function setVariables(
  { secretsManager }: AgentSidecarProps,
  logins: readonly NamedLogin[],
  mountPath: string,
): void {
  for (const { name, login, proxy } of logins)
    for (const container of login.variables ?? [])
      for (const [variable, value] of Object.entries(connectionTo(name, proxy, mountPath)))
        setVariable(container, variable, value, `addAgentSidecar (${name})`);
  for (const container of secretsManager?.variables ?? [])
    setVariable(
      container,
      "AWS_ENDPOINT_URL_SECRETS_MANAGER",
      `http://127.0.0.1:${secretsManager?.port ?? 2_773}`,
      "addAgentSidecar",
    );
}

function connectionTo(
  name: string,
  proxy: NamedLogin["proxy"],
  mountPath: string,
): Readonly<Record<string, string>> {
  return {
    PGHOST: proxy?.kind === "socket" ? `${mountPath}/${proxy.folder}` : "127.0.0.1",
    PGPORT: proxy?.kind === "port" ? String(proxy.port) : "5432",
    // any name would do; the database of this name is the login's own
    PGUSER: name.split("/").at(-1) ?? name,
    PGSSLMODE: "disable",
    PGGSSENCMODE: "disable",
  };
}

/** A lease without an ARN needs a grant before the synthesis. */
function needGrants(sidecar: ContainerDefinition, { leases = {} }: AgentSidecarProps): void {
  sidecar.node.addValidation({
    validate: () => {
      const present = variablesOf(sidecar);
      return Object.entries(leases)
        .filter(([name, { arn }]) => arn === undefined && !(leaseVariable(name) in present))
        .map(
          ([name]) =>
            `${sidecar.node.path} has no grant of ${name}; pass the sidecar to the role's addConsumer, or write the lease's arn`,
        );
    },
  });
}
