import type { Access } from "./access.ts";
import { type Account, arnOf } from "./account.ts";
import type { Assembly } from "./assembly.ts";
import {
  type Identities,
  NETWORK_INTERFACES,
  type PolicyDocument,
  type Role,
  type Session,
} from "./identity.ts";
import { LambdaPool } from "./lambda-pool.ts";
import type { Resource } from "./resource.ts";

/** How asynchronous events of one qualifier are handled. */
export interface EventInvokeConfig {
  readonly MaximumRetryAttempts?: number | string;
  readonly MaximumEventAgeInSeconds?: number | string;
  readonly DestinationConfig?: { readonly OnFailure?: { readonly Destination: string } };
}

/** One function, with all that hangs on its qualifiers. The unqualified one is `""`. */
export interface LambdaFunction {
  readonly name: string;
  readonly arn: string;
  readonly logicalId: string;
  readonly logGroup: string;
  readonly role: Role;
  readonly environment: Readonly<Record<string, string>>;
  readonly pool: LambdaPool;
  /** Version number by alias or version; `$LATEST` is itself. */
  readonly qualifiers: Map<string, string>;
  readonly policies: Map<string, PolicyDocument>;
  /** The resource types those policies came from. */
  readonly policyTypes: Set<string>;
  readonly invokeConfigs: Map<string, EventInvokeConfig>;
}

/** What functions are made with. */
export interface FunctionsOptions {
  readonly account: Account;
  readonly assembly: Assembly;
  readonly access: Access;
  readonly identities: Identities;
  /** What the runner adds to every function's environment. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly onLine: (functionName: string, line: string) => void;
  /** Told once of each function whose role may not write its logs: on AWS, there would be none. */
  readonly onFault: (line: string) => void;
}

interface FunctionProperties {
  readonly FunctionName?: string;
  readonly Code: { readonly S3Key?: string };
  readonly Handler: string;
  readonly Role: string;
  readonly Runtime: string;
  readonly Timeout?: number | string;
  readonly MemorySize?: number | string;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, unknown>> };
  readonly ReservedConcurrentExecutions?: number | string;
  readonly LoggingConfig?: { readonly LogGroup?: string };
  readonly VpcConfig?: object;
}

const UNSUPPORTED = ["Layers", "FileSystemConfigs", "ImageConfig", "DeadLetterConfig", "SnapStart"];

/**
 * A function as the template wants it.
 *
 * @throws Error for what the runner does not have, and for a role that Lambda cannot assume.
 */
export async function makeFunction(
  { logicalId, properties, physicalName }: Resource,
  options: FunctionsOptions,
): Promise<LambdaFunction> {
  const { account, assembly, access, identities, onLine, onFault } = options;
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
  const name = wanted.FunctionName ?? physicalName(64);
  const session = identities.session(role, name);
  if (wanted.VpcConfig !== undefined) await mayJoinNetwork(session, options);
  const taskRoot = assembly.codeFolder(S3Key);
  const variables = Object.entries(wanted.Environment?.Variables ?? {});
  const logGroup = wanted.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`;
  let isLogging = false;
  const lambda: LambdaFunction = {
    name,
    arn: arnOf(account, "lambda", `function:${name}`),
    logicalId,
    logGroup,
    role,
    environment: Object.fromEntries(variables.map(([key, value]) => [key, String(value)])),
    pool: new LambdaPool(
      Number(wanted.ReservedConcurrentExecutions ?? Number.POSITIVE_INFINITY),
      (version) => ({
        taskRoot,
        environment: processEnvironment(lambda, version, wanted, options),
        timeoutSeconds: Number(wanted.Timeout ?? 3),
        onLine: (line) => {
          if (!isLogging)
            void mayLog(session, logGroup, options).catch(({ message }: Error) =>
              onFault(`the logs of ${name} would be lost on AWS: ${message}`),
            );
          isLogging = true;
          onLine(name, line);
        },
      }),
    ),
    qualifiers: new Map([["$LATEST", "$LATEST"]]),
    policies: new Map(),
    policyTypes: new Set(),
    invokeConfigs: new Map(),
  };
  return lambda;
}

/** Lambda connects a function to its VPC as its role. @throws AwsError when that may not. */
async function mayJoinNetwork(session: Session, { access, account }: FunctionsOptions) {
  const networkInterface = arnOf(account, "ec2", "network-interface/eni-0123456789abcdef0");
  for (const action of NETWORK_INTERFACES) {
    const resource = action.startsWith("ec2:Describe") ? "*" : networkInterface;
    await access.authorize(session, { action, resource });
  }
}

/** Lambda writes a function's logs as its role. @throws AwsError when that may not. */
async function mayLog(
  session: Session,
  logGroup: string,
  { access, account }: FunctionsOptions,
): Promise<void> {
  const resource = arnOf(account, "logs", `log-group:${logGroup}:log-stream:stream`);
  for (const action of ["logs:CreateLogStream", "logs:PutLogEvents"])
    await access.authorize(session, { action, resource });
}

/** What the template sets, the runner's own, and what Lambda sets, which nobody can override. */
function processEnvironment(
  lambda: LambdaFunction,
  version: string,
  { Handler, Runtime, MemorySize = 128 }: FunctionProperties,
  { account, identities, environment }: FunctionsOptions,
): Record<string, string> {
  const { credentials } = identities.session(lambda.role, lambda.name);
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
