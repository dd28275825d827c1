import type { Access } from "./access.ts";
import { type Account, arnOf } from "./account.ts";
import type { Assembly, Json } from "./assembly.ts";
import { AwsError } from "./aws-error.ts";
import type { Identities, PolicyDocument, Role } from "./identity.ts";
import type { InstanceOptions } from "./lambda-instance.ts";
import { LambdaPool } from "./lambda-pool.ts";
import type { Created, Resource, ResourceTypes } from "./resource.ts";

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

/** What was meant by a function name, an ARN, or either with a qualifier. */
export interface Target {
  readonly lambda: LambdaFunction;
  readonly qualifier: string;
  readonly version: string;
  /** With the qualifier, if one was given. */
  readonly arn: string;
}

/** A `Target` that may not exist. */
export type Located = Pick<Target, "qualifier" | "arn"> & {
  readonly [Part in "lambda" | "version"]: Target[Part] | undefined;
};

interface FunctionsOptions {
  readonly account: Account;
  readonly assembly: Assembly;
  readonly access: Access;
  readonly identities: Identities;
  /** What the runner adds to every function's environment. */
  readonly environment: () => Readonly<Record<string, string>>;
  readonly onLine: (functionName: string, line: string) => void;
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
}

const UNSUPPORTED = ["Layers", "FileSystemConfigs", "ImageConfig", "DeadLetterConfig", "SnapStart"];

/** The functions of the template, their versions, aliases and policies. */
export class LambdaFunctions {
  readonly #options: FunctionsOptions;
  readonly #functions: LambdaFunction[] = [];

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  readonly resources: ResourceTypes = {
    "AWS::Lambda::Function": (resource) => this.#create(resource),
    "AWS::Lambda::Version": ({ properties }) => {
      const { lambda } = this.target(String(properties.FunctionName));
      const version = String(
        [...lambda.qualifiers.values()].filter((each) => /^\d/.test(each)).length + 1,
      );
      lambda.qualifiers.set(version, version);
      return { ref: `${lambda.arn}:${version}`, attributes: { Version: version } };
    },
    "AWS::Lambda::Alias": ({ properties }) => {
      const { lambda } = this.target(String(properties.FunctionName));
      const { version } = this.target(lambda.arn, String(properties.FunctionVersion));
      lambda.qualifiers.set(String(properties.Name), version);
      const arn = `${lambda.arn}:${String(properties.Name)}`;
      return { ref: arn, attributes: { AliasArn: arn } };
    },
    "AWS::Lambda::EventInvokeConfig": ({ logicalId, properties }) => {
      const { FunctionName, Qualifier, ...config } = properties;
      const { lambda, qualifier } = this.target(String(FunctionName), String(Qualifier));
      lambda.invokeConfigs.set(qualifier, config);
      return { ref: logicalId };
    },
    "AWS::Lambda::ResourcePolicy": ({ logicalId, type, properties }) => {
      const target = this.target(String(properties.ResourceArn));
      const { Statement } = properties.PolicyDocument as { Statement: Json[] };
      return this.#addPolicy(target, logicalId, type, [Statement].flat());
    },
    "AWS::Lambda::Permission": ({ logicalId, type, properties }) => {
      const target = this.target(String(properties.FunctionName));
      return this.#addPolicy(target, logicalId, type, [permission(properties, target.arn)]);
    },
  };

  /** On AWS, the two kinds overwrite each other on one function: nobody can want both. */
  #addPolicy({ lambda, qualifier }: Target, ref: string, type: string, more: Json[]): Created {
    lambda.policyTypes.add(type);
    if (lambda.policyTypes.size > 1)
      throw new Error(
        `${lambda.logicalId} has an AWS::Lambda::ResourcePolicy and an AWS::Lambda::Permission, of which one overwrites the other; state one kind`,
      );
    const statements = lambda.policies.get(qualifier)?.Statement as Json[] | undefined;
    const Statement = [...(statements ?? []), ...more];
    lambda.policies.set(qualifier, { Version: "2012-10-17", Statement });
    return { ref, attributes: { Id: ref } };
  }

  /** What a name, an ARN or a partial ARN means; without `lambda` and `version` when it is not there. */
  find(id: string, qualifier?: string): Located {
    const [, name = "", inId = ""] = /^(?:.*:?function:)?([^:]+)(?::(.+))?$/.exec(id) ?? [];
    const wanted = qualifier ?? inId;
    const lambda = this.#functions.find((each) => [each.name, each.logicalId].includes(name));
    const suffix = wanted && `:${wanted}`;
    return {
      lambda,
      qualifier: wanted,
      version: wanted === "" ? "$LATEST" : lambda?.qualifiers.get(wanted),
      arn: arnOf(this.#options.account, "lambda", `function:${lambda?.name ?? name}${suffix}`),
    };
  }

  /** As `find`. @throws AwsError `ResourceNotFoundException` when it is not there. */
  target(id: string, qualifier?: string): Target {
    const { lambda, version, ...found } = this.find(id, qualifier);
    if (lambda !== undefined && version !== undefined) return { lambda, version, ...found };
    throw new AwsError("ResourceNotFoundException", `Function not found: ${found.arn}`, {
      status: 404,
      details: { Type: "User" },
    });
  }

  /** Names of the functions that log to a group. */
  loggingTo(logGroup: string): readonly string[] {
    return this.#functions.filter((each) => each.logGroup === logGroup).map(({ name }) => name);
  }

  /** ARNs of all aliases. */
  get aliasArns(): string[] {
    return this.#functions.flatMap(({ arn, qualifiers }) =>
      [...qualifiers.keys()].filter((each) => /^[a-z]/i.test(each)).map((each) => `${arn}:${each}`),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#functions.map(({ pool }) => pool.stop()));
  }

  async #create({ logicalId, properties, physicalName }: Resource): Promise<Created> {
    const { account, assembly, access, identities, onLine } = this.#options;
    const wanted = properties as unknown as FunctionProperties;
    const unsupported = UNSUPPORTED.filter((each) => each in properties);
    if (
      unsupported.length > 0 ||
      !wanted.Runtime.startsWith("nodejs") ||
      wanted.Code.S3Key === undefined
    )
      throw new Error(
        `${logicalId}: the local runner has Node functions from an asset folder, without ${unsupported.join(", ") || `"${wanted.Runtime}" or inline code`}`,
      );
    const role = identities.role(wanted.Role);
    if (!(await access.trusts(role, "lambda.amazonaws.com")))
      throw new Error(
        `${logicalId}: The role defined for the function cannot be assumed by Lambda.`,
      );
    const name = wanted.FunctionName ?? physicalName(64);
    const options = {
      taskRoot: assembly.codeFolder(wanted.Code.S3Key),
      timeoutSeconds: Number(wanted.Timeout ?? 3),
      onLine: (line: string) => onLine(name, line),
    };
    const lambda: LambdaFunction = {
      name,
      arn: arnOf(account, "lambda", `function:${name}`),
      logicalId,
      logGroup: wanted.LoggingConfig?.LogGroup ?? `/aws/lambda/${name}`,
      role,
      environment: strings(wanted.Environment?.Variables ?? {}),
      pool: new LambdaPool(
        Number(wanted.ReservedConcurrentExecutions ?? Number.POSITIVE_INFINITY),
        (version): InstanceOptions => ({
          ...options,
          environment: this.#environment(lambda, version, wanted),
        }),
      ),
      qualifiers: new Map([["$LATEST", "$LATEST"]]),
      policies: new Map(),
      policyTypes: new Set(),
      invokeConfigs: new Map(),
    };
    this.#functions.push(lambda);
    return { ref: name, attributes: { Arn: lambda.arn } };
  }

  /** What Lambda sets, what the template sets, and the runner's own. */
  #environment(
    lambda: LambdaFunction,
    version: string,
    wanted: FunctionProperties,
  ): Record<string, string> {
    const { account, identities, environment } = this.#options;
    const { credentials } = identities.session(lambda.role, lambda.name);
    return {
      ...lambda.environment,
      ...environment(),
      PATH: "/usr/local/bin:/usr/bin:/bin",
      LANG: "en_US.UTF-8",
      TZ: ":UTC",
      _HANDLER: wanted.Handler,
      AWS_EXECUTION_ENV: `AWS_Lambda_${wanted.Runtime}`,
      AWS_REGION: account.region,
      AWS_DEFAULT_REGION: account.region,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_SESSION_TOKEN: credentials.sessionToken,
      AWS_LAMBDA_FUNCTION_NAME: lambda.name,
      AWS_LAMBDA_FUNCTION_VERSION: version,
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(wanted.MemorySize ?? 128),
      AWS_LAMBDA_INITIALIZATION_TYPE: "on-demand",
      AWS_LAMBDA_LOG_GROUP_NAME: lambda.logGroup,
      AWS_LAMBDA_LOG_STREAM_NAME: `[${version}]`,
    };
  }
}

const strings = (values: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));

/** The statement that an `AWS::Lambda::Permission` stands for. */
function permission(properties: Json, arn: string): Json {
  const { Action, Principal, SourceAccount, SourceArn } = properties as Record<string, string>;
  return {
    Effect: "Allow",
    Principal: Principal?.endsWith(".amazonaws.com") ? { Service: Principal } : { AWS: Principal },
    Action,
    Resource: arn,
    Condition: {
      ...(SourceAccount && { StringEquals: { "aws:SourceAccount": SourceAccount } }),
      ...(SourceArn && { ArnLike: { "aws:SourceArn": SourceArn } }),
    },
  };
}
