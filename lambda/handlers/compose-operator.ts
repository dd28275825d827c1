import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LambdaClient } from "@aws-sdk/client-lambda";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { OperateDeps } from "../../core/leases/operation/operate.ts";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { endpointReach } from "../aws/endpoint-reach.ts";
import { provisionerFunction } from "../aws/provisioner.ts";
import { postgresDoctor } from "../postgres/doctor/postgres-doctor.ts";
import { type Composition, compose, LIMITS } from "./compose.ts";
import { readerAddresses } from "./compose-readers.ts";
import { type Environment, required } from "./environment.ts";
import { systemTime as time } from "./system-time.ts";

/**
 * The operator function has 300 seconds. After connecting it waits on a silent socket, so only a
 * connection that is never established means that there is no route.
 */
const PROVISIONER = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 3_000, socketTimeout: 0 },
};
const PROVISIONER_PATIENCE_MS = 280_000;

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

const readPlan = (folder: string): ProvisionPlan =>
  parseProvisionPlan(readFileSync(join(folder, "plan.json"), "utf8"), "plan.json");
