import {
  type ContainerDefinition,
  type LinuxParameters,
  Scope,
  type TaskDefinition,
  TmpfsMountOption,
} from "aws-cdk-lib/aws-ecs";
import { AGENT_IMAGE } from "../../core/agent-image.ts";

/** More than tokens, sockets and hundreds of files need. Unit: MiB. */
const SIZE = 16;

/** Memory for the sidecar alone: nobody else needs what is in it. */
export function addOwnMemory(linuxParameters: LinuxParameters): void {
  linuxParameters.addTmpfs({
    containerPath: AGENT_IMAGE.folder,
    size: SIZE,
    mountOptions: [TmpfsMountOption.NOSUID, TmpfsMountOption.NODEV, TmpfsMountOption.NOEXEC],
  });
}

export interface SharedVolume {
  readonly name: string;
  readonly sidecar: ContainerDefinition;
  readonly readers: readonly ContainerDefinition[];
  /** Where readers see it. */
  readonly mountPath: string;
}

/**
 * A volume of one task, which the sidecar writes and others read. On EC2 it is memory. Fargate shares
 * no memory between containers: there it is on the task's ephemeral storage, which AWS encrypts, and
 * which is gone with the task.
 */
export function addSharedVolume(taskDefinition: TaskDefinition, volume: SharedVolume): void {
  const { name, sidecar, readers, mountPath } = volume;
  const isDocker =
    !taskDefinition.isFargateCompatible && !taskDefinition.isManagedInstancesCompatible;
  taskDefinition.addVolume({
    name,
    ...(isDocker && {
      dockerVolumeConfiguration: {
        driver: "local",
        scope: Scope.TASK,
        driverOpts: {
          type: "tmpfs",
          device: "tmpfs",
          o: `size=${SIZE}m,mode=1777,nosuid,nodev,noexec`,
        },
      },
    }),
  });
  const mount = (container: ContainerDefinition, containerPath: string, readOnly: boolean): void =>
    container.addMountPoints({ sourceVolume: name, containerPath, readOnly });
  mount(sidecar, AGENT_IMAGE.folder, false);
  for (const reader of readers) mount(reader, mountPath, true);
}
