import type { Duration } from "aws-cdk-lib";
import type { ContainerDefinition, ContainerImage, LogDriver } from "aws-cdk-lib/aws-ecs";
import type { ISecret } from "aws-cdk-lib/aws-secretsmanager";

/** How the application comes by a login. */
export interface SidecarLogin {
  /**
   * A port on 127.0.0.1 where the application connects without a password: 1 to 65535. Only where
   * the network mode is `awsvpc`.
   * @default - 5432 if the application would get the login in no other way, and the network mode is
   *   `awsvpc`
   */
  readonly port?: number;
  /**
   * A Unix socket on the volume, in the folder `<name>` of it, with hyphens for slashes. Only the
   * sidecar's user, and root, may connect.
   * @default - true if the application would get the login in no other way, and the network mode is
   *   `host`
   */
  readonly socket?: boolean;
  /**
   * Those of `containers` whose `PGHOST`, `PGPORT`, `PGUSER`, `PGSSLMODE` and `PGGSSENCMODE` lead to the port
   * or the socket. The database is the login's own, unless the application names another.
   * @default - none
   */
  readonly variables?: ContainerDefinition[];
  /**
   * The login's name on Secrets Manager's port.
   * @default - the login's own name
   */
  readonly secretName?: string;
}

/** A lease that the sidecar keeps. */
export interface SidecarLease extends SidecarLogin {
  /**
   * The ARN of the issuer's alias.
   * @default - the one that `DynamicRole.addConsumer(name, sidecar)` gives the sidecar
   */
  readonly arn?: string;
  /**
   * How long the lease lives without renewal: 10 seconds to 366 days.
   * @default - the role's
   */
  readonly ttl?: Duration;
}

/** A rotated secret that the sidecar reads. The task role gets the permission to do so. */
export interface SidecarSecret extends SidecarLogin {
  readonly secret: ISecret;
}

/** A file on the volume. It needs exactly one of `format` and `contents`. */
export interface SidecarFile {
  /** The path below the volume, e.g. `orders.env`. `state`, `token` and `health-token` are taken. */
  readonly path: string;
  /** The name of a lease or a secret, or of several for `contents`. */
  readonly from: string | string[];
  /**
   * `env`, `json`, `pgpass`, `pg_service`, `jdbc`, `lines` or `ca`.
   * @default - contents
   */
  readonly format?: string;
  /**
   * A Handlebars template.
   * @default - format
   */
  readonly contents?: string;
  /**
   * Permissions in octal. The file is the sidecar's user's.
   * @default "0600"
   */
  readonly mode?: string;
}

/** Secrets Manager's protocol on 127.0.0.1. Only where the network mode is `awsvpc`. */
export interface SidecarSecretsManager {
  /**
   * 1 to 65535.
   * @default 2773
   */
  readonly port?: number;
  /**
   * Those of `containers` whose variable `AWS_ENDPOINT_URL_SECRETS_MANAGER` leads to the port.
   * @default - none
   */
  readonly variables?: ContainerDefinition[];
  /**
   * For how long clients keep what they read.
   * @default - 1 hour, as AWS's clients do
   */
  readonly clientCache?: Duration;
}

/** Properties of `addAgentSidecar`. */
export interface AgentSidecarProps {
  /** The agent's image, as the package's Dockerfile makes it. */
  readonly image: ContainerImage;
  /**
   * The application's containers: they start when the sidecar is healthy, stop before it does, and
   * see its volume, if there is one.
   */
  readonly containers: ContainerDefinition[];
  /**
   * Leases by name, such as `orders/readonly`.
   * @default - none
   */
  readonly leases?: Readonly<Record<string, SidecarLease>>;
  /**
   * Rotated secrets by a name of yours.
   * @default - none
   */
  readonly secrets?: Readonly<Record<string, SidecarSecret>>;
  /**
   * Files with logins, on the volume.
   * @default - none
   */
  readonly files?: SidecarFile[];
  /**
   * Offer the logins by Secrets Manager's protocol too.
   * @default - no such port
   */
  readonly secretsManager?: SidecarSecretsManager;
  /**
   * The name of the sidecar's container and its volume.
   * @default "mayfly"
   */
  readonly containerName?: string;
  /**
   * Where the application's containers see the volume: up to 60 characters. They cannot write there.
   * @default "/run/mayfly"
   */
  readonly mountPath?: string;
  /**
   * Numbers of the sidecar's user and group, and not root's. Files with mode 0600 and sockets are for this user, so
   * give that of the application.
   * @default "65532:65532"
   */
  readonly user?: string;
  /**
   * The path, in the image, of a PEM file with the authorities of the servers' certificates.
   * @default - RDS's, and Node's for other hosts
   */
  readonly ca?: string;
  /**
   * How long open sessions may go on when the task stops: up to 110 seconds. ECS then waits ten
   * seconds more.
   * @default - 25 seconds
   */
  readonly grace?: Duration;
  /**
   * The port on 127.0.0.1 where the sidecar tells its health and its metrics.
   * @default 9127
   */
  readonly healthPort?: number;
  /**
   * How often ECS asks whether every login works: 7 seconds to 5 minutes. The application waits at
   * least this long at its start.
   * @default - 10 seconds
   */
  readonly healthCheckInterval?: Duration;
  /**
   * Whether the task ends with the sidecar. Then an unhealthy sidecar also ends the task: a database
   * that is away would end every task of a service.
   * @default false
   */
  readonly essential?: boolean;
  /**
   * Where log lines go. They are JSON documents, without secrets.
   * @default - CloudWatch Logs, a log group of its own, for a month
   */
  readonly logging?: LogDriver;
  /**
   * CPU units.
   * @default - none are reserved
   */
  readonly cpu?: number;
  /**
   * Memory that ends the container. Unit: MiB.
   * @default - 256 on EC2; on Fargate what the task has
   */
  readonly memoryLimitMiB?: number;
}
