import { arnOf } from "./account.ts";
import type { Json } from "./assembly.ts";
import { AwsError } from "./aws-error.ts";
import { type FunctionsOptions, type LambdaFunction, makeFunction } from "./lambda-function.ts";
import type { HeldPolicy } from "./policy-use.ts";
import type { Created, ResourceTypes } from "./resource.ts";

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

/** The functions of the template, their versions, aliases and policies. */
export class LambdaFunctions {
  readonly #options: FunctionsOptions;
  readonly #functions: LambdaFunction[] = [];

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  readonly resources: ResourceTypes = {
    "AWS::Lambda::Function": async (resource) => {
      const lambda = await makeFunction(resource, this.#options);
      this.#functions.push(lambda);
      return { ref: lambda.name, attributes: { Arn: lambda.arn } };
    },
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

  /** The policies of functions and their qualifiers. */
  get policies(): readonly HeldPolicy[] {
    return this.#functions.flatMap(({ logicalId, policies }) =>
      [...policies].map(([qualifier, policy]) => ({ holder: `${logicalId}:${qualifier}`, policy })),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#functions.map(({ pool }) => pool.stop()));
  }
}

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
