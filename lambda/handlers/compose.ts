import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Logger } from "@aws-lambda-powertools/logger";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Endpoint } from "../../core/leases/credential.ts";
import type { Deployment } from "../../core/leases/deployment.ts";
import type { LeaseDeps } from "../../core/leases/lease-ports.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import { seconds } from "../../core/time.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { eventBridgeScheduler } from "../aws/scheduler.ts";
import { secretsManager } from "../aws/secrets.ts";
import { connect, type Login } from "../postgres/connection/login.ts";
import { type LoginSource, Maintenance, type Open } from "../postgres/connection/maintenance.ts";
import { tlsOptions } from "../postgres/connection/tls.ts";
import { postgresEngine } from "../postgres/leases/engine.ts";
import { postgresJanitor } from "../postgres/leases/janitor.ts";
import { composeReaders } from "./compose-readers.ts";
import { countExhaustion } from "./count-exhaustion.ts";
import { type Environment, required } from "./environment.ts";
import { ownLogin } from "./own-login.ts";
import { systemTime as time } from "./system-time.ts";
import { type LambdaTelemetry, lambdaTelemetry } from "./telemetry.ts";

/** The time limits of every connection. The shortest function timeout is 30 s. */
export const LIMITS = { connect: seconds(5), statement: seconds(10), lock: seconds(2) };

/**
 * An unreachable reader delays each revocation by this much, and must leave time for the next
 * reader.
 */
const READER_LIMITS = { connect: seconds(3), statement: seconds(5), lock: seconds(2) };

/** The adapters of every function that works on leases. */
export interface Composition {
  readonly logger: Logger;
  readonly telemetry: LambdaTelemetry;
  readonly deployment: Deployment;
  readonly endpoint: Endpoint;
  readonly secrets: SecretStore;
  /** The issuer login, on the maintenance database. */
  readonly issuer: LoginSource;
  /** The janitor's login; its database is ignored. */
  readonly janitor: LoginSource;
  /** How a host's certificate is checked. */
  readonly ssl: (host: string) => Login["ssl"];
  readonly deps: LeaseDeps;
}

/**
 * Compose the adapters of one function from its environment and the `deployment.json` beside its
 * bundle.
 */
export function compose(env: Environment): Composition {
  const set = required(env, [
    "AWS_REGION",
    "DB_HOST",
    "DB_PORT",
    "ISSUER_SECRET_ARN",
    "JANITOR_SECRET_ARN",
    "LAMBDA_TASK_ROOT",
    "REVOCATION_QUEUE_ARN",
    "SCHEDULER_ROLE_ARN",
    "SCHEDULE_DLQ_ARN",
    "SCHEDULE_GROUP",
    "SERVER_ID",
  ]);
  const deployment = readDeployment(set.LAMBDA_TASK_ROOT);
  const { tag, database } = deployment;
  const logger = new Logger();
  const telemetry = lambdaTelemetry(logger, database);
  countExhaustion(database);
  if (deployment.tls === "plaintext")
    logger.warn("connections to the database are not encrypted: the configuration says plaintext");
  const secrets = secretsManager(new SecretsManagerClient(AWS_BOUNDS));
  const host = set.DB_HOST;
  const port = Number(set.DB_PORT);
  const shipped = { region: set.AWS_REGION, folder: set.LAMBDA_TASK_ROOT };
  const ssl: Composition["ssl"] = (to) => tlsOptions(to, deployment, shipped);
  const server = { secrets, host, port, ssl: () => ssl(host) };
  const login = ownLogin({
    ...server,
    secretArn: set.ISSUER_SECRET_ARN,
    database: deployment.maintenanceDatabase,
  });
  // the janitor gets its database when there is something to clear
  const janitor = ownLogin({ ...server, secretArn: set.JANITOR_SECRET_ARN, database: "" });
  const maintenance = new Maintenance(login, (to) => connect(to, LIMITS));
  const open: Open = (to) => connect(to, READER_LIMITS);
  const readers = composeReaders(env, { login, ssl, open, tag, time });
  const engine = postgresEngine({
    maintenance,
    tag,
    server: `${host}:${port}`,
    serverId: set.SERVER_ID,
    time,
    random: Math.random,
  });
  const scheduler = eventBridgeScheduler(new SchedulerClient(AWS_BOUNDS), {
    group: set.SCHEDULE_GROUP,
    queueArn: set.REVOCATION_QUEUE_ARN,
    roleArn: set.SCHEDULER_ROLE_ARN,
    deadLetterArn: set.SCHEDULE_DLQ_ARN,
  });
  return {
    logger,
    telemetry,
    deployment,
    endpoint: { host, port, tls: deployment.tls },
    issuer: login,
    janitor,
    ssl,
    secrets,
    deps: {
      database,
      tag,
      engine,
      janitor: postgresJanitor({
        login: janitor,
        connect: LIMITS.connect,
        time,
        random: Math.random,
      }),
      readers,
      scheduler,
      telemetry,
      time,
    },
  };
}

const readDeployment = (folder: string): Deployment =>
  JSON.parse(readFileSync(join(folder, "deployment.json"), "utf8")) as Deployment;
