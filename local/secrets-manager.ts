import { randomUUID } from "node:crypto";
import type {
  DescribeSecretRequest,
  DescribeSecretResponse,
  GetRandomPasswordRequest,
  GetSecretValueRequest,
  GetSecretValueResponse,
  PutSecretValueRequest,
  PutSecretValueResponse,
} from "@aws-sdk/client-secrets-manager";
import type { Access } from "./access.ts";
import { type Account, arnOf, randomEnd } from "./account.ts";
import { AwsError } from "./aws-error.ts";
import type { PolicyDocument, Session } from "./identity.ts";
import { jsonService, operation, type Service } from "./protocols.ts";
import { randomPassword } from "./random-password.ts";
import type { Created, Resource, ResourceTypes } from "./resource.ts";
import { type SecretVersion, SecretVersions } from "./secret-versions.ts";

interface StoredSecret {
  readonly arn: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly versions: SecretVersions;
  policy?: PolicyDocument;
}

interface SecretProperties {
  readonly Name?: string;
  readonly SecretString?: string;
  readonly GenerateSecretString?: GetRandomPasswordRequest & {
    readonly SecretStringTemplate?: string;
    readonly GenerateStringKey?: string;
  };
}

/** A template's `{{resolve:secretsmanager:…}}`; what it leaves out is empty. */
export interface SecretReference {
  readonly id: string;
  /** A member of a JSON secret; the whole value when empty. */
  readonly key: string;
  readonly stage: string;
  readonly version: string;
}

/** What a secret attached to a database learns about it. */
export type DatabaseFacts = (dbInstanceIdentifier: string) => Readonly<Record<string, unknown>>;

/** AWS Secrets Manager. */
export class SecretsManager {
  readonly #account: Account;
  readonly #access: Access;
  #secrets: readonly StoredSecret[] = [];
  readonly #databaseFacts: DatabaseFacts;

  constructor(account: Account, access: Access, databaseFacts: DatabaseFacts) {
    this.#account = account;
    this.#access = access;
    this.#databaseFacts = databaseFacts;
  }

  readonly service: Service = jsonService("secretsmanager", {
    GetSecretValue: operation<GetSecretValueRequest>((input, caller) => this.#get(input, caller)),
    PutSecretValue: operation<PutSecretValueRequest>((input, caller) => this.#put(input, caller)),
    DescribeSecret: operation<DescribeSecretRequest>((input, caller) =>
      this.#describe(input, caller),
    ),
    GetRandomPassword: operation<GetRandomPasswordRequest>(async (input, caller) => {
      await this.#access.authorize(caller, {
        action: "secretsmanager:GetRandomPassword",
        resource: "*",
      });
      return { RandomPassword: randomPassword(input) };
    }),
  });

  readonly resources: ResourceTypes = {
    "AWS::SecretsManager::Secret": {
      changes: { Name: "replace", Description: "update", Tags: "update" },
      create: (resource) => this.#create(resource),
      remove: ({ ref }) => {
        this.#secrets = this.#secrets.filter(({ arn }) => arn !== ref);
      },
    },
    "AWS::SecretsManager::ResourcePolicy": {
      changes: { SecretId: "replace", "*": "update" },
      create: (resource) => this.#setPolicy(resource),
      update: (resource) => this.#setPolicy(resource),
      remove: ({ ref }) => {
        delete this.#lookup(ref)?.policy;
      },
    },
    "AWS::SecretsManager::SecretTargetAttachment": {
      changes: {},
      create: ({ properties }) => {
        const { SecretId, TargetId } = properties as { SecretId: string; TargetId: string };
        const { arn, versions } = this.#find(SecretId);
        const value = JSON.parse(versions.get(undefined, undefined).value) as object;
        const attached = JSON.stringify({ ...value, ...this.#databaseFacts(TargetId) });
        versions.put(randomUUID(), attached, ["AWSCURRENT"]);
        return { ref: arn };
      },
      remove: () => {},
    },
  };

  #setPolicy({ properties }: Resource): Created {
    const { SecretId, ResourcePolicy } = properties as Record<string, unknown>;
    this.#find(String(SecretId)).policy = ResourcePolicy as PolicyDocument;
    return { ref: String(SecretId) };
  }

  /** The value that a template refers to. */
  resolve({ id, key, stage, version }: SecretReference): string {
    const { value } = this.#find(id).versions.get(version || undefined, stage || undefined);
    return key === "" ? value : String((JSON.parse(value) as Record<string, unknown>)[key]);
  }

  #create({ properties, physicalName }: Resource): Created {
    const { Name, SecretString, GenerateSecretString: generate } = properties as SecretProperties;
    const name = Name ?? physicalName(64);
    const secret: StoredSecret = {
      arn: arnOf(this.#account, "secretsmanager", `secret:${name}-${randomEnd(6)}`),
      name,
      createdAt: new Date(),
      versions: new SecretVersions(),
    };
    const value = SecretString ?? (generate && generated(generate));
    if (value !== undefined) secret.versions.put(randomUUID(), value, ["AWSCURRENT"]);
    this.#secrets = [...this.#secrets, secret];
    return { ref: secret.arn, attributes: { Id: secret.arn } };
  }

  #find(id: string): StoredSecret {
    const secret = this.#lookup(id);
    if (secret !== undefined) return secret;
    throw new AwsError(
      "ResourceNotFoundException",
      "Secrets Manager can't find the specified secret.",
    );
  }

  /** By ARN, by ARN without its random end, or by name. */
  #lookup(id: string): StoredSecret | undefined {
    return this.#secrets.find(({ arn, name }) => [arn, arn.slice(0, -7), name].includes(id));
  }

  /** AWS tells strangers that they may not before it tells them that there is nothing. */
  async #allowed(caller: Session, operationName: string, id = ""): Promise<StoredSecret> {
    const known = this.#lookup(id);
    const named = id.startsWith("arn:")
      ? id
      : arnOf(this.#account, "secretsmanager", `secret:${id}`);
    await this.#access.authorize(caller, {
      action: `secretsmanager:${operationName}`,
      resource: known?.arn ?? named,
      policy: known?.policy,
    });
    return this.#find(id);
  }

  async #get(input: GetSecretValueRequest, caller: Session): Promise<GetSecretValueResponse> {
    const secret = await this.#allowed(caller, "GetSecretValue", input.SecretId);
    const version = secret.versions.get(input.VersionId, input.VersionStage);
    return {
      ...described(secret, version),
      SecretString: version.value,
      CreatedDate: version.createdAt,
    };
  }

  async #put(input: PutSecretValueRequest, caller: Session): Promise<PutSecretValueResponse> {
    const secret = await this.#allowed(caller, "PutSecretValue", input.SecretId);
    const { ClientRequestToken: token = randomUUID(), SecretString: value } = input;
    if (token.length < 32 || token.length > 64)
      throw new AwsError(
        "InvalidParameterException",
        "ClientRequestToken must be 32-64 characters long.",
      );
    if (value === undefined)
      throw new AwsError("InvalidRequestException", "You must provide SecretString.");
    const version = secret.versions.put(token, value, input.VersionStages ?? ["AWSCURRENT"]);
    return described(secret, version);
  }

  async #describe(input: DescribeSecretRequest, caller: Session): Promise<DescribeSecretResponse> {
    const secret = await this.#allowed(caller, "DescribeSecret", input.SecretId);
    return {
      ARN: secret.arn,
      Name: secret.name,
      CreatedDate: secret.createdAt,
      VersionIdsToStages: secret.versions.labels,
    };
  }
}

const described = ({ arn, name }: StoredSecret, { id, stages }: SecretVersion) => ({
  ARN: arn,
  Name: name,
  VersionId: id,
  VersionStages: [...stages],
});

function generated(options: NonNullable<SecretProperties["GenerateSecretString"]>): string {
  const { SecretStringTemplate: template, GenerateStringKey: key, ...rules } = options;
  const password = randomPassword(rules);
  if (template === undefined || key === undefined) return password;
  return JSON.stringify({ ...(JSON.parse(template) as object), [key]: password });
}
