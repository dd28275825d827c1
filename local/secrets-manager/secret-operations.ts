import { randomUUID } from "node:crypto";
import type {
  BatchGetSecretValueRequest,
  BatchGetSecretValueResponse,
  CancelRotateSecretRequest,
  DescribeSecretRequest,
  GetRandomPasswordRequest,
  GetSecretValueRequest,
  GetSecretValueResponse,
  ListSecretsRequest,
  ListSecretVersionIdsRequest,
  PutSecretValueRequest,
  RotateSecretRequest,
  UpdateSecretVersionStageRequest,
} from "@aws-sdk/client-secrets-manager";
import { AwsError } from "../http/aws-error.ts";
import { type Operation, operation } from "../http/protocols.ts";
import type { Session } from "../iam/identity.ts";
import { randomPassword } from "./random-password.ts";
import { filtered, pageOf, sorted } from "./secret-filters.ts";
import { assertToken, valueIn } from "./secret-requests.ts";
import type { SecretRotation } from "./secret-rotation.ts";
import type { SecretStore } from "./secret-store.ts";
import type { SecretVersion } from "./secret-versions.ts";
import { described, listed, type StoredSecret } from "./stored-secret.ts";

const MOST_IN_A_BATCH = 20;

interface Parts {
  readonly store: SecretStore;
  readonly rotation: SecretRotation;
}

/** The operations of Secrets Manager, by name. */
export const secretOperations = (parts: Parts): Readonly<Record<string, Operation>> => ({
  ...readingOperations(parts),
  ...listingOperations(parts),
  ...rotationOperations(parts),
  PutSecretValue: operation<PutSecretValueRequest>((input, caller) => put(parts, input, caller)),
  UpdateSecretVersionStage: operation<UpdateSecretVersionStageRequest>(async (input, caller) => {
    const { SecretId, VersionStage, MoveToVersionId: to, RemoveFromVersionId: from } = input;
    const { store } = parts;
    const keys = { "secretsmanager:VersionStage": VersionStage };
    const secret = await store.allowed(caller, "UpdateSecretVersionStage", SecretId, keys);
    secret.versions.relabel({ label: VersionStage ?? "", to, from });
    store.touch(secret);
    return nameOf(secret);
  }),
});

const readingOperations = ({ store }: Parts): Readonly<Record<string, Operation>> => ({
  GetSecretValue: operation<GetSecretValueRequest>((input, caller) => get(store, input, caller)),
  BatchGetSecretValue: operation<BatchGetSecretValueRequest>((input, caller) =>
    getBatch(store, input, caller),
  ),
  DescribeSecret: operation<DescribeSecretRequest>(async ({ SecretId }, caller) =>
    described(await store.allowed(caller, "DescribeSecret", SecretId), store.account.region),
  ),
  GetRandomPassword: operation<GetRandomPasswordRequest>(async (input, caller) => {
    await store.allowedAnywhere(caller, "GetRandomPassword");
    return { RandomPassword: randomPassword(input) };
  }),
});

const listingOperations = ({ store }: Parts): Readonly<Record<string, Operation>> => ({
  ListSecrets: operation<ListSecretsRequest>(async (input, caller) => {
    await store.allowedAnywhere(caller, "ListSecrets");
    const found = filtered(store.all, input.Filters ?? []);
    const { items, NextToken } = pageOf(sorted(found, input), input);
    return { SecretList: items.map((each) => listed(each, store.account.region)), NextToken };
  }),
  ListSecretVersionIds: operation<ListSecretVersionIdsRequest>(async (input, caller) => {
    const secret = await store.allowed(caller, "ListSecretVersionIds", input.SecretId);
    const { all } = secret.versions;
    const wanted = all.filter(({ stages }) => input.IncludeDeprecated || stages.size > 0);
    const { items, NextToken } = pageOf(wanted, input);
    const Versions = items.map(({ id, stages, createdAt }) => ({
      VersionId: id,
      VersionStages: [...stages],
      CreatedDate: createdAt,
    }));
    return { ...nameOf(secret), Versions, NextToken };
  }),
});

const rotationOperations = ({ store, rotation }: Parts): Readonly<Record<string, Operation>> => ({
  RotateSecret: operation<RotateSecretRequest>(async (input, caller) => {
    const keys = { "secretsmanager:RotationLambdaARN": input.RotationLambdaARN };
    const secret = await store.allowed(caller, "RotateSecret", input.SecretId, keys);
    assertToken(input.ClientRequestToken);
    const VersionId = await rotation.rotate(secret, input, caller);
    store.touch(secret);
    return { ...nameOf(secret), VersionId };
  }),
  CancelRotateSecret: operation<CancelRotateSecretRequest>(async ({ SecretId }, caller) => {
    const secret = await store.allowed(caller, "CancelRotateSecret", SecretId);
    rotation.cancel(secret);
    store.touch(secret);
    return { ...nameOf(secret), VersionId: secret.versions.labelled("AWSPENDING")?.id };
  }),
});

const nameOf = ({ arn, name }: StoredSecret) => ({ ARN: arn, Name: name });

const versionOf = ({ id, stages }: SecretVersion) => ({
  VersionId: id,
  VersionStages: [...stages],
});

async function get(
  store: SecretStore,
  { SecretId, VersionId, VersionStage }: GetSecretValueRequest,
  caller: Session,
): Promise<GetSecretValueResponse> {
  const keys = {
    "secretsmanager:VersionId": VersionId,
    "secretsmanager:VersionStage": VersionStage ?? (VersionId ? undefined : "AWSCURRENT"),
  };
  const secret = await store.allowed(caller, "GetSecretValue", SecretId, keys);
  const version = secret.versions.get(VersionId, VersionStage);
  const { value: SecretString, createdAt: CreatedDate } = version;
  return { ...nameOf(secret), ...versionOf(version), SecretString, CreatedDate };
}

/** Reads each secret alone. A secret that may not be read is among the errors. */
async function getBatch(
  store: SecretStore,
  input: BatchGetSecretValueRequest,
  caller: Session,
): Promise<BatchGetSecretValueResponse> {
  await store.allowedAnywhere(caller, "BatchGetSecretValue");
  const { SecretIdList: ids, Filters: filters } = input;
  if ((ids === undefined) === (filters === undefined))
    throw invalid("You must include Filters or SecretIdList, but not both.");
  if (ids !== undefined && input.MaxResults !== undefined)
    throw invalid("You can use MaxResults with Filters only, not with SecretIdList.");
  if (filters !== undefined) await store.allowedAnywhere(caller, "ListSecrets");
  const found = filters && filtered(store.all, filters).map(({ arn }) => arn);
  const { items, NextToken } = pageOf(ids ?? found ?? [], {
    ...input,
    MaxResults: input.MaxResults ?? MOST_IN_A_BATCH,
  });
  const SecretValues: NonNullable<BatchGetSecretValueResponse["SecretValues"]> = [];
  const Errors: NonNullable<BatchGetSecretValueResponse["Errors"]> = [];
  for (const SecretId of items)
    try {
      SecretValues.push(await get(store, { SecretId }, caller));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      Errors.push({ SecretId, ErrorCode: error.code, Message: error.message });
    }
  return { SecretValues, Errors, NextToken };
}

async function put({ store, rotation }: Parts, input: PutSecretValueRequest, caller: Session) {
  const secret = await store.allowed(caller, "PutSecretValue", input.SecretId);
  const value = valueIn(input);
  const { ClientRequestToken: token = randomUUID(), RotationToken, VersionStages } = input;
  if (RotationToken !== undefined && RotationToken !== rotation.rotationTokenOf(secret))
    throw invalid("The RotationToken is not that of a rotation of this secret under way.");
  const { versions } = secret;
  const before = versions.labelled("AWSCURRENT");
  const version = versions.put(token, value, VersionStages ?? ["AWSCURRENT"]);
  store.touch(secret);
  if (versions.labelled("AWSCURRENT") !== before) rotation.changedByHand(secret);
  return { ...nameOf(secret), ...versionOf(version) };
}

const invalid = (message: string): AwsError => new AwsError("InvalidParameterException", message);
