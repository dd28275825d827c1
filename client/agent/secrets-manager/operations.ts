import type { Duration, Instant } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import type { Publication } from "../publication.ts";
import { readPatiently } from "./patient-read.ts";
import { SecretError, secretErrorOf } from "./secret-error.ts";
import { arnOf, findSecret, type NamedSecret, plainName } from "./secret-ids.ts";
import { chooseVersion, secretText, type ValidVersion, versionsOf } from "./secret-versions.ts";

type Members = Readonly<Record<string, unknown>>;

/** One request, whatever its form. */
export interface Asked {
  readonly members: Members;
  /** The Region that ARNs are of. */
  readonly region: string;
  readonly signal: AbortSignal;
  /** Told of each secret that is in the answer. */
  readonly onRead: (name: string) => void;
}

export interface Served {
  readonly secrets: ReadonlyMap<string, Publication>;
  readonly patience: Duration;
  readonly time: ClientTime;
}

type Operation = (asked: Asked, served: Served) => Promise<object>;

/** What of Secrets Manager's API there is. */
export const OPERATIONS = {
  GetSecretValue: getSecretValue,
  DescribeSecret: describeSecret,
  BatchGetSecretValue: batchGetSecretValue,
  ListSecretVersionIds: listSecretVersionIds,
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationName = keyof typeof OPERATIONS;

export const isOperation = (name: string): name is OperationName => Object.hasOwn(OPERATIONS, name);

/** A secret with the versions that log in now. */
interface FoundSecret extends NamedSecret {
  readonly arn: string;
  readonly versions: readonly [ValidVersion, ...ValidVersion[]];
}

async function find(
  { members, region, signal, onRead }: Asked,
  served: Served,
): Promise<FoundSecret> {
  const { name, publication } = findSecret(served.secrets, members.SecretId);
  const { patience: length, time } = served;
  const newest = await readPatiently(publication, { length, time, signal });
  onRead(publication.name);
  return {
    name: plainName(name),
    publication,
    arn: arnOf(name, region),
    versions: versionsOf(newest, publication),
  };
}

async function getSecretValue(asked: Asked, served: Served): Promise<object> {
  const id = textIn(asked.members, "VersionId");
  const stage = textIn(asked.members, "VersionStage");
  const { arn, name, versions } = await find(asked, served);
  const version = chooseVersion(versions, { id, stage });
  const { login, versionId, publishedAt } = version.published;
  return {
    ARN: arn,
    Name: name,
    VersionId: versionId,
    SecretString: secretText(login),
    VersionStages: [version.stage],
    CreatedDate: epochSeconds(publishedAt),
  };
}

async function describeSecret(asked: Asked, served: Served): Promise<object> {
  const { arn, name, versions } = await find(asked, served);
  const [{ published: newest }] = versions;
  const since = epochSeconds(newest.publishedAt);
  return {
    ARN: arn,
    Name: name,
    RotationEnabled: true,
    ...(newest.nextAt !== undefined && { NextRotationDate: epochSeconds(newest.nextAt) }),
    LastRotatedDate: since,
    LastChangedDate: since,
    CreatedDate: epochSeconds(versions.at(-1)?.published.publishedAt ?? newest.publishedAt),
    VersionIdsToStages: Object.fromEntries(
      versions.map(({ published, stage }) => [published.versionId, [stage]]),
    ),
  };
}

async function listSecretVersionIds(asked: Asked, served: Served): Promise<object> {
  const { arn, name, versions } = await find(asked, served);
  return {
    ARN: arn,
    Name: name,
    Versions: versions.map(({ published: { versionId, publishedAt }, stage }) => ({
      VersionId: versionId,
      VersionStages: [stage],
      CreatedDate: epochSeconds(publishedAt),
    })),
  };
}

/** AWS's limit. */
const MOST_IN_BATCH = 20;

async function batchGetSecretValue(asked: Asked, served: Served): Promise<object> {
  const { SecretIdList: ids, Filters: filters } = asked.members;
  if (filters !== undefined)
    throw new SecretError(
      "InvalidParameterException",
      "this port has no Filters: name the secrets in SecretIdList",
    );
  if (!Array.isArray(ids) || ids.length === 0 || ids.length > MOST_IN_BATCH)
    throw new SecretError(
      "InvalidParameterException",
      `SecretIdList must be a list of 1 to ${MOST_IN_BATCH} names or ARNs`,
    );
  const errors: object[] = [];
  const values = await Promise.all(
    ids.map(async (SecretId: unknown) => {
      try {
        return [await getSecretValue({ ...asked, members: { SecretId } }, served)];
      } catch (error) {
        const { code, message } = secretErrorOf(error);
        errors.push({ SecretId, ErrorCode: code, Message: message });
        return [];
      }
    }),
  );
  return { SecretValues: values.flat(), Errors: errors };
}

/** @throws SecretError if the member is there, and is no text. */
function textIn(members: Members, key: string): string | undefined {
  const value = members[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" && value !== "") return value;
  throw new SecretError("InvalidParameterException", `${key} must be a text that is not empty`);
}

const epochSeconds = (at: Instant): number => at / 1_000;
