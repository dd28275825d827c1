import { arnOf } from "../account.ts";
import type { Json } from "../cloudformation/assembly.ts";
import type {
  Created,
  Existing,
  Resource,
  ResourceType,
  ResourceTypes,
} from "../cloudformation/resource.ts";
import { AwsError } from "../http/aws-error.ts";
import type { Session } from "../iam/identity.ts";
import type { HeldPolicy } from "../iam/policy-use.ts";
import {
  changeFunction,
  type FunctionsOptions,
  type LambdaFunction,
  makeFunction,
  type PolicyPart,
  policyOf,
} from "./lambda-function.ts";

/** What a function name or an ARN, with or without a qualifier, refers to. */
export interface Target {
  readonly lambda: LambdaFunction;
  readonly qualifier: string;
  readonly version: string;
  /** With the qualifier, if one was given. */
  readonly arn: string;
}

/** A `Target` whose function or version may not exist. */
export type Located = Pick<Target, "qualifier" | "arn"> & {
  readonly [Part in "lambda" | "version"]: Target[Part] | undefined;
};

/** The functions of the template, their versions, aliases and policies. */
export class LambdaFunctions {
  readonly #options: FunctionsOptions;
  #functions: readonly LambdaFunction[] = [];
  /** The logs of every function that ever existed. */
  readonly #names: Pick<LambdaFunction, "name" | "logicalId">[] = [];

  constructor(options: FunctionsOptions) {
    this.#options = options;
  }

  /** Whether an access key is in the environment of a function. */
  hasSession({ role, arn }: Session): boolean {
    return this.#functions.some(
      (each) => each.role.name === role.name && arn.endsWith(`/${each.name}`),
    );
  }

  readonly resources: ResourceTypes = {
    "AWS::Lambda::Function": {
      changes: { FunctionName: "replace", "*": "update" },
      create: async (resource) => {
        const lambda = await makeFunction(resource, this.#options);
        this.#functions = [...this.#functions, lambda];
        this.#names.push(lambda);
        return { ref: lambda.name, attributes: { Arn: lambda.arn } };
      },
      update: async (resource, { ref }) => {
        const { lambda } = this.target(ref);
        await changeFunction(lambda, resource, this.#options);
        return { ref, attributes: { Arn: lambda.arn } };
      },
      remove: async ({ ref }) => {
        const { lambda } = this.target(ref);
        this.#functions = this.#functions.filter((each) => each !== lambda);
        this.#options.limits.account.reserve(lambda.name, undefined);
        await lambda.pool.stop();
      },
    },
    "AWS::Lambda::Version": {
      changes: { "*": "replace" },
      create: ({ properties }) => {
        const { lambda } = this.target(String(properties.FunctionName));
        const version = String(++lambda.published);
        const { logGroup, role, environment, settings, instance } = lambda;
        lambda.states.set(version, { logGroup, role, environment, settings, instance });
        lambda.qualifiers.set(version, version);
        return { ref: `${lambda.arn}:${version}`, attributes: { Version: version } };
      },
      remove: async ({ ref }) => {
        const { lambda, version } = this.target(ref);
        lambda.qualifiers.delete(version);
        lambda.states.delete(version);
        await lambda.pool.retire(version);
      },
    },
    "AWS::Lambda::Alias": {
      changes: { Name: "replace", FunctionName: "replace", "*": "update" },
      create: ({ properties }) => this.#point(properties),
      update: ({ properties }) => this.#point(properties),
      remove: ({ ref }) => {
        const { lambda, qualifier } = this.target(ref);
        lambda.qualifiers.delete(qualifier);
      },
    },
    "AWS::Lambda::EventInvokeConfig": {
      changes: { FunctionName: "replace", Qualifier: "replace", "*": "update" },
      create: (resource) => this.#configure(resource),
      update: (resource) => this.#configure(resource),
      remove: ({ properties: { FunctionName, Qualifier } }) => {
        const { lambda, qualifier } = this.find(String(FunctionName), String(Qualifier));
        lambda?.invokeConfigs.delete(qualifier);
      },
    },
    "AWS::Lambda::ResourcePolicy": this.#policyType(({ properties }) => {
      const { Statement } = properties.PolicyDocument as { Statement: Json[] };
      return { id: String(properties.ResourceArn), statements: [Statement].flat() };
    }),
    "AWS::Lambda::Permission": this.#policyType(({ properties }) => {
      const id = String(properties.FunctionName);
      return { id, statements: [permission(properties, this.target(id).arn)] };
    }),
  };

  #point({ FunctionName, FunctionVersion, Name }: Json): Created {
    const { lambda } = this.target(String(FunctionName));
    const { version } = this.target(lambda.arn, String(FunctionVersion));
    lambda.qualifiers.set(String(Name), version);
    const arn = `${lambda.arn}:${String(Name)}`;
    return { ref: arn, attributes: { AliasArn: arn } };
  }

  #configure({ logicalId, properties }: Resource): Created {
    const { FunctionName, Qualifier, ...config } = properties;
    const { lambda, qualifier } = this.target(String(FunctionName), String(Qualifier));
    lambda.invokeConfigs.set(qualifier, config);
    return { ref: logicalId };
  }

  #policyType(partOf: (resource: Resource) => { id: string; statements: Json[] }): ResourceType {
    const put = (resource: Resource): Created => {
      const { logicalId, type } = resource;
      const { id, statements } = partOf(resource);
      this.#addPolicy(this.target(id), { logicalId, type, statements });
      return { ref: logicalId, attributes: { Id: logicalId } };
    };
    const remove = ({ logicalId }: Pick<Existing, "logicalId">): void => {
      for (const lambda of this.#functions)
        lambda.policyParts = lambda.policyParts.filter((each) => each.logicalId !== logicalId);
    };
    return {
      changes: { "*": "update" },
      create: put,
      update: (resource) => {
        remove(resource);
        return put(resource);
      },
      remove,
    };
  }

  /** On AWS, the two kinds overwrite each other on one function. */
  #addPolicy({ lambda, qualifier }: Target, part: Omit<PolicyPart, "qualifier">): void {
    if (lambda.policyParts.some(({ type }) => type !== part.type))
      throw new Error(
        `${lambda.logicalId} has an AWS::Lambda::ResourcePolicy and an AWS::Lambda::Permission, of which one overwrites the other; state one kind`,
      );
    lambda.policyParts = [...lambda.policyParts, { ...part, qualifier }];
  }

  /**
   * Resolve a name, an ARN or a partial ARN. `lambda` and `version` are missing if they do not
   * exist.
   */
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

  /** As `find`. @throws AwsError `ResourceNotFoundException` if it does not exist. */
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

  /** Names of the functions, existing or deleted, with this name or logical id. */
  namesOf(id: string): readonly string[] {
    const found = this.#names.filter((each) => [each.name, each.logicalId].includes(id));
    if (found.length === 0) return [this.target(id).lambda.name];
    return found.map(({ name }) => name);
  }

  /** ARNs of all aliases. */
  get aliasArns(): string[] {
    return this.#functions.flatMap(({ arn, qualifiers }) =>
      [...qualifiers.keys()].filter((each) => /^[a-z]/i.test(each)).map((each) => `${arn}:${each}`),
    );
  }

  /** The policies of functions and their qualifiers. */
  get policies(): readonly HeldPolicy[] {
    return this.#functions.flatMap((lambda) =>
      ["", ...lambda.qualifiers.keys()].flatMap((qualifier) => {
        const policy = policyOf(lambda, qualifier);
        return policy === undefined ? [] : [{ holder: `${lambda.logicalId}:${qualifier}`, policy }];
      }),
    );
  }

  async stop(): Promise<void> {
    await Promise.all(this.#functions.map(({ pool }) => pool.stop()));
  }
}

/** The policy statement of an `AWS::Lambda::Permission`. */
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
