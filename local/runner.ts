import type { Account } from "./account.ts";
import {
  type Assembly,
  filesOfAll,
  readAssembly,
  type Template,
} from "./cloudformation/assembly.ts";
import { customResource, isCustomResource } from "./cloudformation/custom-resource.ts";
import { nestedStack } from "./cloudformation/nested-stack.ts";
import type { ResourceType } from "./cloudformation/resource.ts";
import { Stack, type StackOptions } from "./cloudformation/stack.ts";
import { Stacks } from "./cloudformation/stacks.ts";
import type { Scope } from "./cloudformation/template.ts";
import type { PutEvent } from "./events/event-bridge.ts";
import type { ExistingDatabase } from "./existing/existing-database.ts";
import type { Gateway } from "./http/gateway.ts";
import { type LogLine, serve } from "./http/serve.ts";
import type { AccessDecision } from "./iam/access.ts";
import type { Credentials } from "./iam/identity.ts";
import type { UnusedStatement } from "./iam/policy-use.ts";
import type { OnInvoke } from "./lambda/lambda-pool.ts";
import type { EmbeddedPostgres } from "./postgres/postgres.ts";
import { type Rotations, rotationsOf } from "./secrets-manager/rotations.ts";
import { makeServices, type Services } from "./services.ts";
import type { Workloads } from "./workloads.ts";

export type { LogLine } from "./http/serve.ts";

/** Processes that a laptop can run beside PostgreSQL. */
const MOST_PROCESSES = 32;

/** What to run. */
export interface RunnerOptions {
  /** A synthesized cloud assembly: the `cdk.out` folder. */
  readonly assembly: string;
  /** Id of the stack; the stacks below it run too. @default - the only stack without a parent */
  readonly stack?: string;
  /** @default 123456789012 */
  readonly accountId?: string;
  /** @default eu-west-1 */
  readonly region?: string;
  /** Deliver every event of Scheduler twice. @default false */
  readonly duplicateDeliveries?: boolean;
  /** Seconds after which a failed rotation is attempted again. @default 5 */
  readonly rotationRetrySeconds?: number;
  /** The account's quota of concurrent calls. @default 1000 */
  readonly accountConcurrency?: number;
  /** The longest session of a role, asked for each of them. @default - as on AWS */
  readonly sessionSeconds?: () => number;
  /** Maximum of processes of all functions; further calls wait. @default 32 */
  readonly processes?: number;
  /** Databases that existed before the stack. @default - none */
  readonly existing?: readonly ExistingDatabase[];
  /** ARNs of event buses that existed before the stack. @default - none */
  readonly buses?: readonly string[];
  /** Decides whether each event of a function runs. @default - every event runs */
  readonly onInvoke?: OnInvoke;
  /** Stops the start before the next resource. @default - nothing stops it */
  readonly signal?: AbortSignal;
  /** Called with every line that a function prints. */
  readonly onLog?: (functionName: string, line: string) => void;
  /**
   * Called with errors of the runner, and before each change of a resource, which waits for the
   * result.
   */
  readonly onProgress?: (line: string) => void | Promise<void>;
}

/** A stack, and the stacks below it, that run on this machine. */
export interface Runner {
  /** For `AWS_ENDPOINT_URL`. */
  readonly endpoint: string;
  readonly region: string;
  readonly accountId: string;
  readonly stackName: string;
  /** The outputs of all stacks. */
  readonly outputs: Readonly<Record<string, string>>;
  /** PEM file of the authorities that signed the database servers' certificates. */
  readonly caFile: string;
  /** The first DB instance of the template. @throws Error if the stack has no database. */
  readonly database: EmbeddedPostgres;
  /** Every decision of the policies, oldest first. */
  readonly calls: readonly AccessDecision[];
  /** Actions in the template's policies that no call has needed so far. */
  readonly unusedStatements: readonly UnusedStatement[];
  /**
   * Keys of `administrator`, or of a role by name, ARN or logical id. @throws Error if there is no
   * such role.
   */
  readonly credentialsFor: (principal: string) => Credentials;
  /** ARNs of the roles that the template names but does not create. */
  readonly existingRoles: readonly string[];
  /** ARNs of all aliases of functions. */
  readonly aliasArns: readonly string[];
  /** The lines that functions printed; of one function if its name or logical id is given. */
  logs(functionNameOrLogicalId?: string): readonly LogLine[];
  /**
   * Bodies of the messages in a queue, or in all queues: oldest first, including those in flight.
   */
  queueMessages(logicalIdOrArn?: string): readonly string[];
  /** The events on event buses, oldest first. */
  readonly busEvents: readonly PutEvent[];
  /**
   * The rotation of secrets: its attempts, and its clock, which tests can move. SQS, tokens and
   * sessions follow it too.
   */
  readonly rotations: Rotations;
  /** Where workloads get their credentials: pods, tasks, instances, and issuers of tokens. */
  readonly workloads: Pick<
    Workloads,
    "issuer" | "addProvider" | "cluster" | "startTask" | "startInstance"
  >;
  /** As `queueMessages`, with the message attributes. */
  queueAttributes(logicalIdOrArn: string): readonly Readonly<Record<string, string>>[];
  /**
   * Create the stack again after `delete`, with another stack id. @throws Error as `startRunner`.
   */
  create(assembly: string): Promise<void>;
  /**
   * Change the stack to another assembly, and delete the resources that it no longer has. A failed
   * change is rolled back.
   *
   * @throws Error naming what the runner cannot change, before anything is touched; or the reason
   *   of a failure, after the rollback.
   */
  update(assembly: string): Promise<void>;
  /**
   * Delete the stack and keep the runner with its logs. After a failure, the next call goes on
   * where this one stopped.
   *
   * @throws Error with the reason of a failure.
   */
  delete(): Promise<void>;
  /** Stop everything that was started. Safe to repeat. */
  stop(): Promise<void>;
}

/** The parts of one run. */
interface Run {
  readonly account: Account;
  readonly services: Services;
  readonly stackName: string;
  readonly stacks: Stacks;
  readonly logs: LogLine[];
  /** Read another assembly of the stack. */
  readonly read: (folder: string) => Assembly["templates"];
}

/**
 * Start a synthesized stack on this machine.
 *
 * @throws Error if the template needs what the runner does not have, or a custom resource fails, or
 *   the signal aborts it. Everything that was started is stopped before.
 */
export async function startRunner(options: RunnerOptions): Promise<Runner> {
  const { onLog, signal, duplicateDeliveries = false, onProgress = () => undefined } = options;
  const onFault = (line: string): void => void onProgress(line);
  const account = {
    id: options.accountId ?? "123456789012",
    region: options.region ?? "eu-west-1",
  };
  const first = readAssembly(options.assembly, options.stack);
  const [stackName = ""] = first.templates.keys();
  const { codeFolder, nestedTemplate, read } = filesOfAll(first, options.stack);
  const logs: LogLine[] = [];
  let gateway: Gateway | undefined;
  const services = makeServices({
    account,
    codeFolder,
    duplicateDeliveries,
    rotationRetryDelay: (options.rotationRetrySeconds ?? 5) * 1_000,
    accountConcurrency: options.accountConcurrency,
    sessionSeconds: options.sessionSeconds,
    processes: options.processes ?? MOST_PROCESSES,
    existing: options.existing,
    buses: options.buses,
    onInvoke: options.onInvoke,
    endpoint: () => gateway?.endpoint ?? "",
    onFault,
    onLine: (functionName, line) => {
      logs.push({ functionName, line, timestamp: Date.now() });
      onLog?.(functionName, line);
    },
  });
  const stacks = new Stacks(stackMaker(account, services, nestedTemplate, onProgress));
  const run: Run = { account, services, stackName, stacks, logs, read };
  gateway = await serve({ ...run, onFault });
  const stop = once(async () => {
    const rotationsEnd = services.rotation.stop();
    const mappingsEnd = services.eventSourceMappings.stop();
    await services.scheduler.stop();
    await gateway.stop();
    await services.workloads.stop();
    await services.lambda.stop();
    await mappingsEnd;
    services.sqs.stop();
    await rotationsEnd;
    await services.rds.stop();
    services.authorities.remove();
  });
  try {
    await stacks.create(first.templates, signal);
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

function stackMaker(
  account: Account,
  services: Services,
  templateOf: (s3Key: string) => Template,
  onProgress: NonNullable<RunnerOptions["onProgress"]>,
): ConstructorParameters<typeof Stacks>[0] {
  const makeStack = (name: string, outputOf?: Scope["outputOf"]): Stack => {
    const custom = customResource({ ...services, stackId: () => stack.id });
    const typeOf = (type: string): ResourceType | undefined => {
      if (type === "AWS::CloudFormation::Stack") return nested;
      return services.resources[type] ?? (isCustomResource(type) ? custom : undefined);
    };
    const resolveSecret: StackOptions["resolveSecret"] = (each) => services.secrets.resolve(each);
    const stack = new Stack({ account, name, outputOf, typeOf, resolveSecret, onProgress });
    return stack;
  };
  const nested = nestedStack({ makeStack, templateOf });
  return makeStack;
}

function view(run: Run, endpoint: string, stop: () => Promise<void>): Runner {
  const { account, stackName, stacks, services, logs, read } = run;
  const { access, functions, identities, rds, sqs } = services;
  const database = (): EmbeddedPostgres => {
    const [first] = rds.ownServers;
    if (first !== undefined) return first;
    throw new Error(`stack ${stackName} has no AWS::RDS::DBInstance`);
  };
  return {
    endpoint,
    region: account.region,
    accountId: account.id,
    stackName,
    get outputs() {
      return stacks.outputs;
    },
    busEvents: services.eventBridge.events,
    rotations: rotationsOf(services),
    workloads: services.workloads,
    calls: access.decisions,
    create: async (assembly) => stacks.create(read(assembly)),
    update: async (assembly) => stacks.update(read(assembly)),
    delete: () => stacks.delete(),
    stop,
    get database() {
      return database();
    },
    get unusedStatements() {
      return access.use.unused([...identities.policies, ...functions.policies, ...sqs.policies]);
    },
    get caFile() {
      return services.caFile() ?? database().caFile;
    },
    get existingRoles() {
      return identities.existingRoles;
    },
    get aliasArns() {
      return functions.aliasArns;
    },
    credentialsFor: (principal) =>
      identities.session(identities.role(principal), "local").credentials,
    logs: (wanted) => {
      const names = wanted === undefined ? undefined : functions.namesOf(wanted);
      return logs.filter(({ functionName }) => names?.includes(functionName) ?? true);
    },
    queueMessages: (id) =>
      (id === undefined ? sqs.queues : [sqs.find(id)]).flatMap(({ messages }) =>
        messages.map(({ body }) => body),
      ),
    queueAttributes: (id) => sqs.find(id).messages.map(({ attributes }) => attributes),
  };
}
