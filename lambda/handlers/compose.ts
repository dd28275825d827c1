import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Logger } from "@aws-lambda-powertools/logger";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { Endpoint } from "../../core/leases/credential.ts";
import type { Deployment } from "../../core/leases/deployment.ts";
import type { LeaseDeps } from "../../core/leases/lease-ports.ts";
import type { OperateDeps } from "../../core/leases/operation/operate.ts";
import type { SweepOptions } from "../../core/leases/operation/sweep.ts";
import type { IssueDeps } from "../../core/leases/requests/issue.ts";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { measureSecretAges } from "../../core/rotation/secret-ages.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import { seconds } from "../../core/time.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { endpointReach } from "../aws/endpoint-reach.ts";
import { peppersIn } from "../aws/peppers.ts";
import { provisionerFunction } from "../aws/provisioner.ts";
import { eventBridgeScheduler } from "../aws/scheduler.ts";
import { rotatedAt } from "../aws/secret-ages.ts";
import { secretsManager } from "../aws/secrets.ts";
import { connect, type Login } from "../postgres/connection/login.ts";
import { type LoginSource, Maintenance, type Open } from "../postgres/connection/maintenance.ts";
import { tlsOptions } from "../postgres/connection/tls.ts";
import { postgresDoctor } from "../postgres/doctor/postgres-doctor.ts";
import { postgresEngine } from "../postgres/leases/engine.ts";
import { postgresJanitor } from "../postgres/leases/janitor.ts";
import { composeReaders, readerAddresses } from "./compose-readers.ts";
import { countExhaustion } from "./count-exhaustion.ts";
import { type Environment, required, rotatedSecretsIn } from "./environment.ts";
import { ownLogin } from "./own-login.ts";
import { systemTime as time } from "./system-time.ts";
import { type LambdaTelemetry, lambdaTelemetry } from "./telemetry.ts";

/** The time limits of every connection. The shortest function timeout is 30 s. */
const LIMITS = { connect: seconds(5), statement: seconds(10), lock: seconds(2) };

/**
 * An unreachable reader delays each revocation by this much, and must leave time for the next
 * reader.
 */
const READER_LIMITS = { connect: seconds(3), statement: seconds(5), lock: seconds(2) };

/**
 * The operator function has 300 seconds. After connecting it waits on a silent socket, so only a
 * connection that is never established means that there is no route.
 */
const PROVISIONER = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 3_000, socketTimeout: 0 },
};
const PROVISIONER_PATIENCE_MS = 280_000;

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

/** Like {@link compose}, with the additional adapters for issuing. */
export function composeIssuer(env: Environment): Composition & { readonly deps: IssueDeps } {
  const composition = compose(env);
  const { deployment, endpoint, secrets, deps } = composition;
  const { PEPPER_SECRET_ARN } = required(env, ["PEPPER_SECRET_ARN"]);
  const peppers = peppersIn(secrets, PEPPER_SECRET_ARN);
  return { ...composition, deps: { ...deps, deployment, endpoint, peppers, random: randomBytes } };
}

/** Like {@link compose}, with the ages of the rotated secrets, if there are any. */
export function composeSweeper(
  env: Environment,
): Composition & Pick<SweepOptions, "secretsOverdue"> {
  const composition = compose(env);
  const { deployment, logger, telemetry } = composition;
  const { rotatedSecrets = {} } = deployment;
  if (Object.keys(rotatedSecrets).length === 0) return composition;
  const ages = {
    rotatedSecrets,
    arns: rotatedSecretsIn(env),
    rotatedAt: rotatedAt(new SecretsManagerClient(AWS_BOUNDS)),
    telemetry,
    time,
    warn: (message: string, facts: Readonly<Record<string, unknown>>) =>
      logger.warn(message, { ...facts }),
  };
  return { ...composition, secretsOverdue: () => measureSecretAges(ages) };
}

/** Like {@link compose}, with the additional adapters for operators. */
export function composeOperator(env: Environment): Composition & { readonly deps: OperateDeps } {
  const composition = compose(env);
  const set = required(env, [
    "AWS_REGION",
    "CONVERGE_ARN",
    "ISSUER_SECRET_ARN",
    "LAMBDA_TASK_ROOT",
    "SCHEDULE_GROUP",
  ]);
  const provisioner = provisionerFunction(new LambdaClient(PROVISIONER), {
    convergeArn: set.CONVERGE_ARN,
    region: set.AWS_REGION,
    patience: PROVISIONER_PATIENCE_MS,
  });
  const { deployment, issuer, janitor, ssl, deps } = composition;
  const plan = readPlan(set.LAMBDA_TASK_ROOT);
  const examiners = [
    endpointReach({
      region: set.AWS_REGION,
      secrets: new SecretsManagerClient(AWS_BOUNDS),
      scheduler: new SchedulerClient(AWS_BOUNDS),
      lambda: new LambdaClient(AWS_BOUNDS),
      secretArn: set.ISSUER_SECRET_ARN,
      scheduleGroup: set.SCHEDULE_GROUP,
      convergeArn: set.CONVERGE_ARN,
    }),
    postgresDoctor({
      plan,
      issuer,
      janitor,
      ssl,
      readers: readerAddresses(env, time) ?? (async () => []),
      limits: LIMITS,
      time,
    }),
  ];
  const { aliasUnsealed } = deployment;
  return { ...composition, deps: { ...deps, provisioner, examiners, aliasUnsealed } };
}

const readDeployment = (folder: string): Deployment =>
  JSON.parse(readFileSync(join(folder, "deployment.json"), "utf8")) as Deployment;

const readPlan = (folder: string): ProvisionPlan =>
  parseProvisionPlan(readFileSync(join(folder, "plan.json"), "utf8"), "plan.json");
