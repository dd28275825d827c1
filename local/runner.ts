import { randomUUID } from "node:crypto";
import { Access, type AccessDecision } from "./access.ts";
import { type Account, arnOf } from "./account.ts";
import { readAssembly } from "./assembly.ts";
import { makeCloudFormation } from "./cloudformation.ts";
import { createCustomResource, isCustomResource } from "./custom-resource.ts";
import { startGateway } from "./gateway.ts";
import { type Credentials, Identities } from "./identity.ts";
import { inertResources } from "./inert-resources.ts";
import { Lambda } from "./lambda.ts";
import { LambdaFunctions } from "./lambda-functions.ts";
import type { EmbeddedPostgres } from "./postgres.ts";
import { Rds } from "./rds.ts";
import type { ResourceTypes } from "./resource.ts";
import { Scheduler } from "./scheduler.ts";
import { SecretsManager } from "./secrets-manager.ts";
import { Sqs } from "./sqs.ts";
import { createStack } from "./stack.ts";
import { makeSts } from "./sts.ts";

/** What to run. */
export interface RunnerOptions {
  /** A synthesized cloud assembly: the `cdk.out` folder. */
  readonly assembly: string;
  /** @default - the only stack of the assembly */
  readonly stack?: string;
  /** @default 123456789012 */
  readonly accountId?: string;
  /** @default eu-west-1 */
  readonly region?: string;
  /** Deliver every event of Scheduler twice. @default false */
  readonly duplicateDeliveries?: boolean;
  /** Told every line that a function prints. */
  readonly onLog?: (functionName: string, line: string) => void;
  /** Told what is being created, and of faults of the runner itself. */
  readonly onProgress?: (line: string) => void;
}

/** A line that a function printed. */
export interface LogLine {
  readonly functionName: string;
  readonly line: string;
}

/** A stack that runs on this machine. */
export interface Runner {
  /** For `AWS_ENDPOINT_URL`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly stackName: string;
  readonly outputs: Readonly<Record<string, string>>;
  /** PEM file of the authority that signed the database server's certificate. */
  readonly caFile: string;
  /** The embedded server. @throws Error when the stack has no database. */
  readonly database: EmbeddedPostgres;
  /** Every decision the policies took. */
  readonly calls: readonly AccessDecision[];
  /** Keys of `administrator`, or of a role by name, ARN or logical id. @throws Error for others. */
  credentialsFor(principal: string): Credentials;
  /** What the functions printed; of one function, by name or logical id, when it is given. */
  logs(functionNameOrLogicalId?: string): readonly LogLine[];
  /** Bodies of the messages in a queue, oldest first. */
  queueMessages(logicalIdOrArn: string): readonly string[];
  /** As `queueMessages`, with the message attributes. */
  queueAttributes(logicalIdOrArn: string): readonly Readonly<Record<string, string>>[];
  /** End everything that was started. Safe to repeat. */
  stop(): Promise<void>;
}

/**
 * Start a synthesized stack on this machine.
 *
 * @throws Error when the template asks for what the runner does not have, or a custom resource
 *   fails; whatever was started is stopped before.
 */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { accountId = "123456789012", region = "eu-west-1", onLog, onProgress } = options;
  const account: Account = { id: accountId, region };
  const assembly = readAssembly(options.assembly, options.stack);
  const { stackName, template } = assembly;
  const stackId = arnOf(account, "cloudformation", `stack/${stackName}/${randomUUID()}`);
  const onFault = (line: string): void => onProgress?.(line);
  const logs: LogLine[] = [];

  const access = new Access(account);
  const identities = new Identities(account);
  const sqs = new Sqs(account, access);
  const rds = new Rds(account, access);
  const secrets = new SecretsManager(account, access, (id) => rds.facts(id));
  let outputs: Record<string, string> = {};
  let endpoint = "";
  const functions = new LambdaFunctions({
    account,
    assembly,
    access,
    identities,
    environment: () => ({
      AWS_ENDPOINT_URL: endpoint,
      ...(rds.server && { NODE_EXTRA_CA_CERTS: rds.server.caFile }),
    }),
    onLine: (functionName, line) => {
      logs.push({ functionName, line });
      onLog?.(functionName, line);
    },
  });
  const lambda = new Lambda({ access, functions, identities, sqs, onFault });
  const { duplicateDeliveries = false } = options;
  const scheduler = new Scheduler({
    account,
    access,
    identities,
    lambda,
    sqs,
    duplicateDeliveries,
    onFault,
  });
  const stackFacts = {
    id: stackId,
    name: stackName,
    createdAt: new Date(),
    outputs: () => outputs,
  };
  const gateway = await startGateway({
    account,
    identities,
    onFault,
    services: {
      cloudformation: makeCloudFormation(access, stackFacts),
      lambda: lambda.service,
      rds: rds.service,
      scheduler: scheduler.service,
      secretsmanager: secrets.service,
      sqs: sqs.service,
      sts: makeSts(account, access, identities),
    },
  });
  endpoint = gateway.endpoint;

  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      await scheduler.stop();
      await lambda.stop();
      await gateway.stop();
      await rds.stop();
    })();
    return stopped;
  };

  const types: ResourceTypes = {
    ...inertResources(account),
    ...identities.resources,
    ...secrets.resources,
    ...scheduler.resources,
    ...functions.resources,
    ...sqs.resources,
    ...rds.resources,
  };
  try {
    outputs = await createStack({
      name: stackName,
      region,
      template,
      pseudoParameters: {
        "AWS::AccountId": accountId,
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::StackId": stackId,
        "AWS::StackName": stackName,
        "AWS::URLSuffix": "amazonaws.com",
      },
      supports: (type) => type in types || isCustomResource(type),
      create: async (resource) => {
        onProgress?.(`creating ${resource.type} ${resource.logicalId}`);
        const create = types[resource.type];
        if (create !== undefined) return create(resource);
        return createCustomResource(resource, { functions, identities, lambda, stackId });
      },
      resolveSecret: (...reference) => secrets.resolve(...reference),
    });
    scheduler.start();
  } catch (error) {
    await stop();
    throw error;
  }

  const database = (): EmbeddedPostgres => {
    if (rds.server !== undefined) return rds.server;
    throw new Error(`stack ${stackName} has no AWS::RDS::DBInstance`);
  };
  return {
    endpoint,
    region,
    accountId,
    stackName,
    outputs,
    calls: access.decisions,
    stop,
    get database() {
      return database();
    },
    get caFile() {
      return database().caFile;
    },
    credentialsFor: (principal) =>
      identities.session(identities.role(principal), "local").credentials,
    logs: (wanted) => {
      const name = wanted === undefined ? undefined : functions.target(wanted).lambda.name;
      return logs.filter(({ functionName }) => name === undefined || functionName === name);
    },
    queueMessages: (id) => sqs.find(id).messages.map(({ body }) => body),
    queueAttributes: (id) => sqs.find(id).messages.map(({ attributes }) => attributes),
  };
}
