import type { Runtime } from "@aws-sdk/client-lambda";
import { type Account, arnOf } from "../account.ts";
import type { Json } from "../cloudformation/assembly.ts";
import type { Resource } from "../cloudformation/resource.ts";
import type { Access } from "../iam/access.ts";
import {
  type Identities,
  NETWORK_INTERFACES,
  type PolicyDocument,
  type Role,
  type Session,
} from "../iam/identity.ts";
import type { InstanceOptions } from "./lambda-instance.ts";
import { LambdaPool, type OnInvoke, type SharedLimits } from "./lambda-pool.ts";

/** How asynchronous events of one qualifier are handled. */
export interface EventInvokeConfig {
  readonly MaximumRetryAttempts?: number | string;
  readonly MaximumEventAgeInSeconds?: number | string;
  readonly DestinationConfig?: { readonly OnFailure?: { readonly Destination: string } };
}

/** Statements that one resource of the template adds to the policy of one qualifier. */
export interface PolicyPart {
  readonly logicalId: string;
  readonly type: string;
  readonly qualifier: string;
  readonly statements: readonly Json[];
}

/** What of a function's settings is only shown, or used at its start. */
export interface FunctionSettings {
  readonly Handler: string;
  readonly Runtime: Runtime;
  /** Seconds. */
  readonly Timeout: number;
  /** Megabytes. */
  readonly MemorySize: number;
  readonly LastModified: string;
}

/** What a function is now, or was when a version was published. */
export interface FunctionState {
  readonly logGroup: string;
  readonly role: Role;
  readonly environment: Readonly<Record<string, string>>;
  readonly settings: FunctionSettings;
  /** How to start a process of it. */
  readonly instance: (version: string) => InstanceOptions;
}

/** One function with its qualifiers. The unqualified function has the qualifier `""`. */
export interface LambdaFunction extends FunctionState {
  readonly name: string;
  readonly arn: string;
  readonly logicalId: string;
  readonly pool: LambdaPool;
  /** By version, including `$LATEST`. A published version never changes. */
  readonly states: Map<string, FunctionState>;
  /** Number of versions that were ever published. Numbers are not used again. */
  published: number;
  /** Version by alias or version. */
  readonly qualifiers: Map<string, string>;
  readonly invokeConfigs: Map<string, EventInvokeConfig>;
  policyParts: readonly PolicyPart[];
}

/** The policy of a function's qualifier, if it has one. */
export function policyOf(
  { policyParts }: LambdaFunction,
  qualifier: string,
): PolicyDocument | undefined {
  const parts = policyParts.filter((each) => each.qualifier === qualifier);
  if (parts.length === 0) return undefined;
  return { Version: "2012-10-17", Statement: parts.flatMap(({ statements }) => statements) };
}

/** What creating functions needs. */
export interface FunctionsOptions {
  readonly account: Account;
  /** The folder of a function's code. */
  readonly codeFolder: (s3Key: string) => string;
  readonly access: Access;
  readonly identities: Identities;
  readonly limits: SharedLimits;
  /** Variables that the runner adds to every function's environment. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly onInvoke?: OnInvoke | undefined;
  readonly onLine: (functionName: string, line: string) => void;
  /** Called once for each function whose role may not write logs. On AWS its logs would be lost. */
  readonly onFault: (line: string) => void;
}

interface FunctionProperties {
  readonly Code: { readonly S3Key?: string };
  readonly Handler: string;
  readonly Role: string;
  readonly Runtime: Runtime;
  readonly Timeout?: number | string;
  readonly MemorySize?: number | string;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, unknown>> };
  readonly LoggingConfig?: { readonly LogGroup?: string };
  readonly VpcConfig?: object;
}

const UNSUPPORTED = ["Layers", "FileSystemConfigs", "ImageConfig", "DeadLetterConfig", "SnapStart"];

/**
 * Create a function of the template.
 *
 * @throws Error as `stateOf`, or if the account cannot reserve so much.
 */
export async function makeFunction(
  resource: Resource,
  options: FunctionsOptions,
): Promise<LambdaFunction> {
  const { logicalId, properties, physicalName } = resource;
  const { FunctionName: name = physicalName(64) } = properties as { FunctionName?: string };
  const state = await stateOf(name, resource, options);
  const states = new Map([["$LATEST", state]]);
  const reserved = reservedOf(properties);
  options.limits.account.reserve(name, reserved);
  return {
    ...state,
    name,
    arn: arnOf(options.account, "lambda", `function:${name}`),
    logicalId,
    pool: new LambdaPool({
      reserved,
      limits: options.limits,
      optionsOf: (version) => (states.get(version) ?? state).instance(version),
      fateOf: (payload) => options.onInvoke?.(name, payload) ?? "run",
    }),
    states,
    published: 0,
    qualifiers: new Map([["$LATEST", "$LATEST"]]),
    invokeConfigs: new Map(),
    policyParts: [],
  };
}

/**
 * Change a function in place. Only `$LATEST` changes; published versions stay.
 *
 * @throws Error as `makeFunction`.
 */
export async function changeFunction(
  lambda: LambdaFunction,
  resource: Resource,
  options: FunctionsOptions,
): Promise<void> {
  const state = await stateOf(lambda.name, resource, options);
  const reserved = reservedOf(resource.properties);
  options.limits.account.reserve(lambda.name, reserved);
  Object.assign(lambda, state);
  lambda.states.set("$LATEST", state);
  lambda.pool.reserved = reserved;
  await lambda.pool.retire("$LATEST");
}

const reservedOf = ({ ReservedConcurrentExecutions: reserved }: Json): number | undefined =>
  reserved === undefined ? undefined : Number(reserved);

/**
 * @throws Error for settings that the runner does not have, or a role that Lambda cannot assume.
 */
async function stateOf(
  name: string,
  { logicalId, properties }: Resource,
  options: FunctionsOptions,
): Promise<FunctionState> {
  const { access, codeFolder, identities, onLine, onFault } = options;
  const wanted = properties as unknown as FunctionProperties;
  const { S3Key } = wanted.Code;
  const unsupported = UNSUPPORTED.filter((each) => each in properties);
  if (unsupported.length > 0 || !wanted.Runtime.startsWith("nodejs") || S3Key === undefined)
    throw new Error(
      `${logicalId}: the local runner has Node functions from an asset folder, without ${unsupported.join(", ") || `"${wanted.Runtime}" or inline code`}`,
    );
  const role = identities.role(wanted.Role);
  if (!(await access.trusts(role, "lambda.amazonaws.com")))
    throw new Error(`${logicalId}: The role defined for the function cannot be assumed by Lambda.`);
  const session = identities.session(role, name);
  if (wanted.VpcConfig !== undefined) await mayJoinNetwork(session, options);
  const taskRoot = codeFolder(S3Key);
  const variables = Object.entries(wanted.Environment?.Variables ?? {});
  const logGroup = wanted.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`;
  const state = {
    logGroup,
    role,
    environment: Object.fromEntries(variables.map(([key, value]) => [key, String(value)])),
    settings: {
      Handler: wanted.Handler,
      Runtime: wanted.Runtime,
      Timeout: Number(wanted.Timeout ?? 3),
      MemorySize: Number(wanted.MemorySize ?? 128),
      LastModified: new Date().toISOString().replace("Z", "+0000"),
    },
  };
  let isLogging = false;
  return {
    ...state,
    instance: (version) => ({
      taskRoot,
      environment: processEnvironment({ ...state, name }, version, options),
      timeoutSeconds: state.settings.Timeout,
      onLine: (line) => {
        if (!isLogging)
          void mayLog(session, logGroup, options).catch(({ message }: Error) =>
            onFault(`the logs of ${name} would be lost on AWS: ${message}`),
          );
        isLogging = true;
        onLine(name, line);
      },
    }),
  };
}

/** Lambda connects a function to its VPC with its role. @throws AwsError if the role may not. */
async function mayJoinNetwork(session: Session, { access, account }: FunctionsOptions) {
  const networkInterface = arnOf(account, "ec2", "network-interface/eni-0123456789abcdef0");
  for (const action of NETWORK_INTERFACES) {
    const resource = action.startsWith("ec2:Describe") ? "*" : networkInterface;
    await access.authorize(session, { action, resource });
  }
}

/** Lambda writes a function's logs with its role. @throws AwsError if the role may not. */
async function mayLog(
  session: Session,
  logGroup: string,
  { access, account }: FunctionsOptions,
): Promise<void> {
  const resource = arnOf(account, "logs", `log-group:${logGroup}:log-stream:stream`);
  for (const action of ["logs:CreateLogStream", "logs:PutLogEvents"])
    await access.authorize(session, { action, resource });
}

/** The variables of the template, of the runner and of Lambda. Nobody can override Lambda's. */
function processEnvironment(
  lambda: Pick<LambdaFunction, "name" | "role" | "logGroup" | "environment" | "settings">,
  version: string,
  { account, identities, environment }: FunctionsOptions,
): Record<string, string> {
  const { credentials } = identities.session(lambda.role, lambda.name);
  const { Handler, Runtime, MemorySize } = lambda.settings;
  return {
    ...lambda.environment,
    ...environment(),
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LANG: "en_US.UTF-8",
    TZ: ":UTC",
    _HANDLER: Handler,
    AWS_EXECUTION_ENV: `AWS_Lambda_${Runtime}`,
    AWS_REGION: account.region,
    AWS_DEFAULT_REGION: account.region,
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_SESSION_TOKEN: credentials.sessionToken,
    AWS_LAMBDA_FUNCTION_NAME: lambda.name,
    AWS_LAMBDA_FUNCTION_VERSION: version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(MemorySize),
    AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
    AWS_LAMBDA_LOG_GROUP_NAME: lambda.logGroup,
    AWS_LAMBDA_LOG_STREAM_NAME: `[${version}]`,
  };
}
