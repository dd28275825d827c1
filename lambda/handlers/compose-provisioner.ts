import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@aws-lambda-powertools/logger";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { actionIn, fieldsOf, refuseUnknown } from "../../core/leases/request.ts";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import type { ConvergeReport } from "../../core/provisioning/report.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { scheduleGroup } from "../aws/schedule-group.ts";
import { secretsManager } from "../aws/secrets.ts";
import { connect } from "../postgres/connection/login.ts";
import { tlsOptions } from "../postgres/connection/tls.ts";
import type { ServerPlace } from "../postgres/provisioning/admin-login.ts";
import { makeConverge } from "../postgres/provisioning/converge/converge.ts";
import { type ProvisionDeps, READER_LIMITS } from "../postgres/provisioning/dependencies.ts";
import { makeProvision } from "../postgres/provisioning/provision.ts";
import { makeRemove } from "../postgres/provisioning/remove/remove.ts";
import { makeSeed, parseSeedRequest } from "../postgres/provisioning/seed-sandbox.ts";
import { composeReaders } from "./compose-readers.ts";
import type { CustomResourceEvent } from "./custom-resource.ts";
import { type Environment, required, rotatedSecretsIn } from "./environment.ts";
import { systemTime as time } from "./system-time.ts";

/** The provisioner, made from a function's environment. */
export interface ComposedProvisioner {
  /** Do what CloudFormation's event says. */
  provision(event: CustomResourceEvent): Promise<void>;
  /** Do what an operator asks, by the plan that was deployed. */
  converge(event: unknown): Promise<ConvergeReport>;
}

/** @throws ConfigError when the environment lacks something. */
export function composeProvisioner(env: Environment, logger: Logger): ComposedProvisioner {
  const set = required(env, [
    "ADMIN_SECRET_ARN",
    "ISSUER_SECRET_ARN",
    "JANITOR_SECRET_ARN",
    "SCHEDULE_GROUP",
    "SERVER_ID",
  ]);
  const place = placeIn(env);
  const deps: ProvisionDeps = {
    secrets: secretsManager(new SecretsManagerClient()),
    adminSecret: set.ADMIN_SECRET_ARN,
    issuerSecret: set.ISSUER_SECRET_ARN,
    janitorSecret: set.JANITOR_SECRET_ARN,
    rotatedSecrets: rotatedSecretsIn(env),
    scheduleGroup: scheduleGroup(new SchedulerClient(AWS_BOUNDS), set.SCHEDULE_GROUP),
    place,
    serverId: set.SERVER_ID,
    time,
    readers: (login, tls) =>
      composeReaders(env, {
        login,
        ssl: (host) => tlsOptions(host, tls, place),
        open: (to) => connect(to, READER_LIMITS),
        time,
      }),
    log: (step, facts = {}) => logger.info(step, { ...facts }),
    warn: (step, facts = {}) => logger.warn(step, { ...facts }),
    // no metrics: the bundle has no room for them, and each audit line says what was done
    telemetry: { audit: ({ event, ...details }) => logger.info(event, details), measure: () => {} },
  };
  return {
    provision: async (event) => {
      const { RequestType, ResourceProperties, StackId: id, LogicalResourceId: resource } = event;
      const plan = parseProvisionPlan(ResourceProperties.Plan);
      const run = RequestType === "Delete" ? makeRemove(deps) : makeProvision(deps);
      await run(plan, { id, resource });
    },
    converge: async (event) => {
      const fields = fieldsOf(event);
      refuseUnknown(fields, actionIn(fields, { converge: true }), []);
      const { STACK_ID, LAMBDA_TASK_ROOT } = required(env, ["STACK_ID", "LAMBDA_TASK_ROOT"]);
      const text = readFileSync(join(LAMBDA_TASK_ROOT, "plan.json"), "utf8");
      return makeConverge(deps)(parseProvisionPlan(text, "plan.json"), STACK_ID);
    },
  };
}

/** The sandbox's seeder, made from a function's environment. Takes the resource's properties. */
export function composeSeeder(env: Environment) {
  const { ADMIN_SECRET_ARN: adminSecret } = required(env, ["ADMIN_SECRET_ARN"]);
  const secrets = secretsManager(new SecretsManagerClient());
  const seed = makeSeed({ secrets, adminSecret, place: placeIn(env) });
  return (properties: unknown): Promise<void> => seed(parseSeedRequest(properties));
}

function placeIn(env: Environment): ServerPlace {
  const set = required(env, ["DB_HOST", "DB_PORT", "AWS_REGION", "LAMBDA_TASK_ROOT"]);
  return {
    host: set.DB_HOST,
    port: Number(set.DB_PORT),
    region: set.AWS_REGION,
    folder: set.LAMBDA_TASK_ROOT,
  };
}
