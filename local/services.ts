import type { Account } from "./account.ts";
import { MovableClock } from "./clock.ts";
import { inertResources } from "./cloudformation/inert-resources.ts";
import type { ResourceTypes } from "./cloudformation/resource.ts";
import { EventBridge } from "./events/event-bridge.ts";
import type { ExistingDatabase } from "./existing/existing-database.ts";
import { Access } from "./iam/access.ts";
import { Identities } from "./iam/identity.ts";
import { AccountConcurrency } from "./lambda/account-concurrency.ts";
import { Lambda } from "./lambda/lambda.ts";
import { LambdaFunctions } from "./lambda/lambda-functions.ts";
import type { OnInvoke } from "./lambda/lambda-pool.ts";
import { ProcessLimit } from "./lambda/process-limit.ts";
import { LogSubscriptions } from "./logs/log-subscriptions.ts";
import { Authorities } from "./postgres/authorities.ts";
import { Rds } from "./rds/rds.ts";
import { Scheduler } from "./scheduler/scheduler.ts";
import { SecretRotation } from "./secrets-manager/secret-rotation.ts";
import { SecretStore } from "./secrets-manager/secret-store.ts";
import { SecretsManager } from "./secrets-manager/secrets-manager.ts";
import { EventSourceMappings } from "./sqs/event-source-mappings.ts";
import { Sqs } from "./sqs/sqs.ts";
import { Workloads } from "./workloads.ts";

interface ServicesOptions {
  readonly account: Account;
  /** The folder of a function's code. */
  readonly codeFolder: (s3Key: string) => string;
  readonly duplicateDeliveries: boolean;
  /** Time between a failed rotation and the next attempt. Milliseconds. */
  readonly rotationRetryDelay: number;
  /** The account's quota of concurrent calls. */
  readonly accountConcurrency?: number | undefined;
  /** The longest session of a role. Seconds. */
  readonly sessionSeconds?: (() => number) | undefined;
  /** Maximum of processes of all functions together. */
  readonly processes: number;
  /** Databases that existed before the stack, and event buses by ARN. */
  readonly existing?: readonly ExistingDatabase[] | undefined;
  readonly buses?: readonly string[] | undefined;
  readonly onInvoke?: OnInvoke | undefined;
  readonly endpoint: () => string;
  readonly onLine: (functionName: string, line: string) => void;
  readonly onFault: (line: string) => void;
}

/** The services of one run. */
export interface Services {
  readonly access: Access;
  readonly authorities: Authorities;
  /** PEM file of the authorities of all servers. Undefined if there is no server. */
  readonly caFile: () => string | undefined;
  /** The clock of Secrets Manager, SQS, tokens and sessions. */
  readonly clock: MovableClock;
  readonly eventBridge: EventBridge;
  readonly eventSourceMappings: EventSourceMappings;
  readonly functions: LambdaFunctions;
  readonly identities: Identities;
  readonly lambda: Lambda;
  readonly rds: Rds;
  readonly rotation: SecretRotation;
  readonly scheduler: Scheduler;
  readonly secrets: SecretsManager;
  readonly sqs: Sqs;
  readonly workloads: Workloads;
  /** The resource types of all services. */
  readonly resources: ResourceTypes;
}

/** Create the services. None of them is active yet. */
export function makeServices(options: ServicesOptions): Services {
  const { account, codeFolder, duplicateDeliveries, endpoint, onFault, onLine } = options;
  const access = new Access(account);
  const clock = new MovableClock();
  const identities = new Identities(account, {
    now: () => clock.now(),
    longestSeconds: options.sessionSeconds,
  });
  const workloads = new Workloads({ account, access, clock, identities, endpoint });
  const sqs = new Sqs(account, access, clock);
  const rds = new Rds(account, access, onFault);
  const { existing = [], buses = [] } = options;
  const authorities = new Authorities();
  const caFile = (): string | undefined =>
    authorities.fileFor([...existing.map(({ server }) => server), ...rds.ownServers]);
  const environment = (): Record<string, string> => ({
    AWS_ENDPOINT_URL: endpoint(),
    ...withAuthorities(caFile()),
  });
  const functions = new LambdaFunctions({
    account,
    codeFolder,
    access,
    identities,
    environment,
    limits: {
      account: new AccountConcurrency(options.accountConcurrency),
      processes: new ProcessLimit(options.processes),
    },
    onInvoke: options.onInvoke,
    onLine: (functionName, line) => {
      onLine(functionName, line);
      subscriptions.offer(functionName, line);
    },
    onFault,
  });
  const eventSourceMappings = new EventSourceMappings(account, access, {
    clock,
    functions,
    identities,
    sqs,
    onFault,
  });
  const lambda = new Lambda({
    account,
    access,
    functions,
    identities,
    mappings: eventSourceMappings,
    sqs,
    onFault,
  });
  const subscriptions = new LogSubscriptions({ account, functions, lambda, onFault });
  const eventBridge = new EventBridge(account, access);
  const scheduler = new Scheduler({
    account,
    access,
    identities,
    lambda,
    sqs,
    duplicateDeliveries,
    onFault,
  });
  const { rotationRetryDelay: retryDelay } = options;
  const rotation = new SecretRotation({ lambda, clock, retryDelay, onFault });
  const store = new SecretStore(account, access, clock);
  for (const database of existing) {
    rds.adopt(database);
    adoptSecrets(store, database);
  }
  for (const arn of buses) eventBridge.adopt(arn);
  const secrets = new SecretsManager({
    store,
    rotation,
    databaseFacts: (id) => rds.facts(id),
  });
  const resources = {
    ...inertResources(account),
    ...eventBridge.resources,
    ...eventSourceMappings.resources,
    ...functions.resources,
    ...identities.resources,
    ...rds.resources,
    ...scheduler.resources,
    ...secrets.resources,
    ...sqs.resources,
    ...subscriptions.resources,
    ...workloads.resources,
  };
  return {
    access,
    authorities,
    caFile,
    clock,
    eventBridge,
    eventSourceMappings,
    functions,
    identities,
    lambda,
    rds,
    rotation,
    scheduler,
    secrets,
    sqs,
    workloads,
    resources,
  };
}

const withAuthorities = (file: string | undefined): Record<string, string> =>
  file === undefined ? {} : { NODE_EXTRA_CA_CERTS: file };

function adoptSecrets(store: SecretStore, { secrets }: ExistingDatabase): void {
  for (const { id, value, administrator } of secrets) {
    const masterarn = administrator && store.find(administrator).arn;
    store.adopt(id, JSON.stringify({ ...value, ...(masterarn && { masterarn }) }));
  }
}
