import { randomUUID } from "node:crypto";
import { makeCloudWatch } from "../../local/cloudwatch/cloudwatch.ts";
import { type Gateway, startGateway } from "../../local/http/gateway.ts";
import { makeIam } from "../../local/iam/iam.ts";
import { makeSts } from "../../local/iam/sts.ts";
import { makeServices, type Services } from "../../local/services.ts";
import { type Clients, clientsOf } from "./clients.ts";

const account = { id: "123456789012", region: "eu-west-1" };

/** The services behind one address, without a stack. */
export interface BareServices extends Services {
  readonly clients: Clients;
  /** An administrator's keys, for clients of other kinds. */
  readonly config: ReturnType<typeof configOf>;
  stop(): Promise<void>;
}

const configOf = ({ endpoint }: Gateway, { identities }: Services) => ({
  endpoint,
  region: account.region,
  maxAttempts: 1,
  credentials: identities.session(identities.role("administrator"), "test").credentials,
});

/** Serve AWS's APIs with one secret, `db1/small`, and a role that Scheduler may assume. */
export async function startServices(): Promise<BareServices> {
  let gateway: Gateway | undefined;
  const services = makeServices({
    account,
    codeFolder: () => "",
    duplicateDeliveries: false,
    rotationRetryDelay: 0,
    processes: 1,
    endpoint: () => gateway?.endpoint ?? "",
    onLine: () => undefined,
    onFault: (line) => {
      throw new Error(line);
    },
  });
  const { access, clock, eventBridge, identities, lambda, rds, scheduler, secrets, sqs } = services;
  const { providers, tokens, unsigned } = services.workloads;
  const sts = makeSts({ account, access, clock, identities, providers, tokens });
  gateway = await startGateway({
    account,
    identities,
    now: () => clock.now(),
    onFault: () => undefined,
    unsigned: [sts.unsigned, ...unsigned],
    services: {
      events: eventBridge.service,
      iam: makeIam(access, identities),
      lambda: lambda.service,
      monitoring: makeCloudWatch({ access, clock, sqs }),
      rds: rds.service,
      scheduler: scheduler.service,
      secretsmanager: secrets.service,
      sqs: sqs.service,
      sts: sts.service,
    },
  });
  identities.addRole("delivery", {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Principal: { Service: "scheduler.amazonaws.com" },
        Action: "sts:AssumeRole",
      },
    ],
  });
  await services.resources["AWS::SecretsManager::Secret"]?.create({
    logicalId: "Small",
    type: "AWS::SecretsManager::Secret",
    properties: { Name: "db1/small", SecretString: randomUUID() },
    physicalName: () => "small",
  });
  const config = configOf(gateway, services);
  const { credentials } = config;
  return {
    ...services,
    config,
    clients: clientsOf({ ...config, credentialsFor: () => credentials }, "administrator"),
    stop: async () => {
      await scheduler.stop();
      await services.eventSourceMappings.stop();
      await gateway.stop();
    },
  };
}
