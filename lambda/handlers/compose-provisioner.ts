import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "@aws-lambda-powertools/logger";
import { SchedulerClient } from "@aws-sdk/client-scheduler";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { actionIn, fieldsOf, refuseUnknown } from "../../core/leases/requests/lease-request.ts";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { type Changes, type ConvergeReport, totalOf } from "../../core/provisioning/report.ts";
import { AWS_BOUNDS } from "../aws/bounds.ts";
import { scheduleGroup } from "../aws/schedule-group.ts";
import { secretsManager } from "../aws/secrets.ts";
import { connect } from "../postgres/connection/login.ts";
import { tlsOptions } from "../postgres/connection/tls.ts";
import { makeConverge } from "../postgres/provisioning/converge/converge.ts";
import type { ProvisionDeps } from "../postgres/provisioning/dependencies.ts";
import { READER_LIMITS } from "../postgres/provisioning/limits.ts";
import { makeProvision } from "../postgres/provisioning/provision.ts";
import { makeRemove } from "../postgres/provisioning/remove/remove.ts";
import { composeReaders } from "./compose-readers.ts";
import { countExhaustion } from "./count-exhaustion.ts";
import type { CustomResourceEvent } from "./custom-resource.ts";
import { type Environment, required, rotatedSecretsIn } from "./environment.ts";
import { serverAddress } from "./server-address.ts";
import { systemTime as time } from "./system-time.ts";
import type { LambdaTelemetry } from "./telemetry.ts";

/** The provisioner of a function. */
export interface ComposedProvisioner {
  /** Handle CloudFormation's event. */
  provision(event: CustomResourceEvent): Promise<void>;
  /** Handle an operator's request, with the deployed plan. */
  converge(event: unknown): Promise<ConvergeReport>;
}

/** @throws ConfigError if an environment variable is missing. */
export function composeProvisioner(
  env: Environment,
  { logger, telemetry }: { readonly logger: Logger; readonly telemetry: LambdaTelemetry },
): ComposedProvisioner {
  const set = required(env, [
    "ADMIN_SECRET_ARN",
    "ISSUER_SECRET_ARN",
    "JANITOR_SECRET_ARN",
    "SCHEDULE_GROUP",
    "SERVER_ID",
  ]);
  const server = serverAddress(env);
  const deps: ProvisionDeps = {
    secrets: secretsManager(new SecretsManagerClient()),
    adminSecret: set.ADMIN_SECRET_ARN,
    issuerSecret: set.ISSUER_SECRET_ARN,
    janitorSecret: set.JANITOR_SECRET_ARN,
    rotatedSecrets: rotatedSecretsIn(env),
    scheduleGroup: scheduleGroup(new SchedulerClient(AWS_BOUNDS), set.SCHEDULE_GROUP),
    server,
    serverId: set.SERVER_ID,
    time,
    readers: (login, plan) =>
      composeReaders(env, {
        login,
        ssl: (host) => tlsOptions(host, plan, server),
        open: (to) => connect(to, READER_LIMITS),
        tag: plan.tag,
        time,
      }),
    log: (step, facts = {}) => logger.info(step, { ...facts }),
    warn: (step, facts = {}) => logger.warn(step, { ...facts }),
    telemetry,
  };
  const counting = async <T>(
    { database }: Pick<ProvisionPlan, "database">,
    run: () => Promise<T>,
  ): Promise<T> => {
    const end = countExhaustion(database);
    try {
      return await run();
    } finally {
      end();
    }
  };
  const counted = <T extends Changes>(changes: T): T => {
    telemetry.measure("ProvisioningChanges", totalOf(changes));
    return changes;
  };
  return {
    provision: async (event) => {
      const { RequestType, ResourceProperties, StackId: id, LogicalResourceId: resource } = event;
      const plan = parseProvisionPlan(ResourceProperties.Plan);
      const stack = { id, resource };
      if (RequestType === "Delete") await counting(plan, () => makeRemove(deps)(plan, stack));
      else counted(await counting(plan, () => makeProvision(deps)(plan, stack)));
    },
    converge: async (event) => {
      const fields = fieldsOf(event);
      refuseUnknown(fields, actionIn(fields, { converge: true }), []);
      const { STACK_ID, LAMBDA_TASK_ROOT } = required(env, ["STACK_ID", "LAMBDA_TASK_ROOT"]);
      const text = readFileSync(join(LAMBDA_TASK_ROOT, "plan.json"), "utf8");
      const plan = parseProvisionPlan(text, "plan.json");
      return counted(await counting(plan, () => makeConverge(deps)(plan, STACK_ID)));
    },
  };
}
