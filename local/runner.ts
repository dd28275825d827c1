import { randomUUID } from "node:crypto";
import type { AccessDecision } from "./access.ts";
import { type Account, arnOf } from "./account.ts";
import { type Assembly, readAssembly } from "./assembly.ts";
import { makeCloudFormation } from "./cloudformation.ts";
import { createCustomResource, isCustomResource } from "./custom-resource.ts";
import type { PutEvent } from "./event-bridge.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import type { Credentials } from "./identity.ts";
import { type LogEvents, makeLogs } from "./logs.ts";
import type { UnusedStatement } from "./policy-use.ts";
import type { EmbeddedPostgres } from "./postgres.ts";
import { makeServices, type Services } from "./services.ts";
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
  /** Ends the start before the next resource. @default - nothing does */
  readonly signal?: AbortSignal;
  /** Told every line that a function prints. */
  readonly onLog?: (functionName: string, line: string) => void;
  /** Told what is being created, and of faults of the runner itself. */
  readonly onProgress?: (line: string) => void;
}

/** A line that a function printed. */
export interface LogLine {
  readonly functionName: string;
  readonly line: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
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
  /** What the template's policies state and no call so far has needed. */
  readonly unusedStatements: readonly UnusedStatement[];
  /** Keys of `administrator`, or of a role by name, ARN or logical id. @throws Error for others. */
  readonly credentialsFor: (principal: string) => Credentials;
  /** ARNs of all aliases of functions. */
  readonly aliasArns: readonly string[];
  /** What the functions printed; of one function, by name or logical id, when it is given. */
  logs(functionNameOrLogicalId?: string): readonly LogLine[];
  /** Bodies of the messages in a queue, oldest first; in all queues, without one. */
  queueMessages(logicalIdOrArn?: string): readonly string[];
  /** What was put on event buses, oldest first. */
  readonly busEvents: readonly PutEvent[];
  /** As `queueMessages`, with the message attributes. */
  queueAttributes(logicalIdOrArn: string): readonly Readonly<Record<string, string>>[];
  /** End everything that was started. Safe to repeat. */
  stop(): Promise<void>;
}

/** What is known of a run before its stack is there. */
interface Run {
  readonly account: Account;
  readonly assembly: Assembly;
  readonly stackId: string;
  readonly services: Services;
  readonly outputs: Record<string, string>;
  readonly logs: LogLine[];
  readonly onProgress: (line: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * Start a synthesized stack on this machine.
 *
 * @throws Error when the template asks for what the runner does not have, or a custom resource
 *   fails, or the signal aborts it; whatever was started is stopped before.
 */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { onLog, signal, duplicateDeliveries = false, onProgress = () => undefined } = options;
  const account = {
    id: options.accountId ?? "123456789012",
    region: options.region ?? "eu-west-1",
  };
  const assembly = readAssembly(options.assembly, options.stack);
  const logs: LogLine[] = [];
  let gateway: Gateway | undefined;
  const services = makeServices({
    account,
    assembly,
    duplicateDeliveries,
    endpoint: () => gateway?.endpoint ?? "",
    onFault: onProgress,
    onLine: (functionName, line) => {
      logs.push({ functionName, line, timestamp: Date.now() });
      onLog?.(functionName, line);
    },
  });
  const stackId = arnOf(account, "cloudformation", `stack/${assembly.stackName}/${randomUUID()}`);
  const run: Run = { account, assembly, stackId, services, outputs: {}, logs, onProgress, signal };
  gateway = await serve(run);
  const stop = once(async () => {
    await services.scheduler.stop();
    await gateway.stop();
    await services.lambda.stop();
    await services.rds.stop();
  });
  try {
    Object.assign(run.outputs, await create(run));
    services.scheduler.start();
    return view(run, gateway.endpoint, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

function once(task: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= task();
    return done;
  };
}

function serve(run: Run): Promise<Gateway> {
  const { account, assembly, stackId, services, outputs, logs, onProgress } = run;
  const { access, eventBridge, functions, identities, lambda, rds, scheduler, secrets } = services;
  const eventsOf: LogEvents = (group) => {
    const names = functions.loggingTo(group);
    if (names.length === 0) return undefined;
    return logs
      .filter(({ functionName }) => names.includes(functionName))
      .map(({ line: message, timestamp }) => ({ message, timestamp }));
  };
  const stack = { id: stackId, name: assembly.stackName, createdAt: new Date(), outputs };
  return startGateway({
    account,
    identities,
    onFault: onProgress,
    services: {
      cloudformation: makeCloudFormation(access, stack),
      events: eventBridge.service,
      lambda: lambda.service,
      logs: makeLogs(account, access, eventsOf),
      rds: rds.service,
      scheduler: scheduler.service,
      secretsmanager: secrets.service,
      sts: makeSts(account, access, identities),
    },
  });
}

function create(run: Run): Promise<Record<string, string>> {
  const { account, assembly, stackId, services, onProgress, signal } = run;
  return createStack({
    name: assembly.stackName,
    region: account.region,
    template: assembly.template,
    pseudoParameters: {
      "AWS::AccountId": account.id,
      "AWS::Partition": "aws",
      "AWS::Region": account.region,
      "AWS::StackId": stackId,
      "AWS::StackName": assembly.stackName,
      "AWS::URLSuffix": "amazonaws.com",
    },
    supports: (type) => type in services.resources || isCustomResource(type),
    create: async (resource) => {
      signal?.throwIfAborted();
      onProgress(`creating ${resource.type} ${resource.logicalId}`);
      const known = services.resources[resource.type];
      return known === undefined
        ? createCustomResource(resource, { ...services, stackId })
        : known(resource);
    },
    resolveSecret: (reference) => services.secrets.resolve(reference),
  });
}

function view(run: Run, endpoint: string, stop: () => Promise<void>): Runner {
  const { account, assembly, services, outputs, logs } = run;
  const { access, functions, identities, rds, sqs } = services;
  const database = (): EmbeddedPostgres => {
    if (rds.server !== undefined) return rds.server;
    throw new Error(`stack ${assembly.stackName} has no AWS::RDS::DBInstance`);
  };
  return {
    endpoint,
    region: account.region,
    accountId: account.id,
    stackName: assembly.stackName,
    outputs,
    busEvents: services.eventBridge.events,
    calls: access.decisions,
    stop,
    get database() {
      return database();
    },
    get unusedStatements() {
      return access.use.unused([...identities.policies, ...functions.policies, ...sqs.policies]);
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
    aliasArns: functions.aliasArns,
    queueMessages: (id) =>
      (id === undefined ? sqs.queues : [sqs.find(id)]).flatMap(({ messages }) =>
        messages.map(({ body }) => body),
      ),
    queueAttributes: (id) => sqs.find(id).messages.map(({ attributes }) => attributes),
  };
}
