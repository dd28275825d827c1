import type {
  DescribeSecretResponse,
  ReplicationStatusType,
  RotationRulesType,
  SecretListEntry,
  Tag,
} from "@aws-sdk/client-secrets-manager";
import type { PolicyDocument } from "../iam/identity.ts";
import type { RotationPlan } from "./rotation-rules.ts";
import type { SecretVersions } from "./secret-versions.ts";

/** What a template says of a secret beside its value. */
export interface SecretSettings {
  readonly Description?: string;
  readonly KmsKeyId?: string;
  readonly Tags?: Tag[];
  readonly ReplicaRegions?: readonly { readonly Region: string; readonly KmsKeyId?: string }[];
}

/** How a secret is rotated; it stays when rotation is turned off. Times as of `Clock`. */
export interface RotationSettings {
  readonly enabled: boolean;
  readonly functionArn: string;
  /** As they were given; without any, rotation is by hand. */
  readonly rules?: RotationRulesType | undefined;
  readonly plan?: RotationPlan | undefined;
  /** The last rotation that was completed. */
  readonly rotatedAt?: number | undefined;
  /** From when the next one is counted: the last rotation, or a new value by hand. */
  readonly countedFrom: number;
  /** The end of the window of the next rotation. */
  readonly nextBy?: number | undefined;
}

/** A secret as it is kept. */
export interface StoredSecret {
  readonly arn: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly versions: SecretVersions;
  changedAt: Date;
  settings: SecretSettings;
  rotation?: RotationSettings | undefined;
  policy?: PolicyDocument;
}

type Common = Omit<DescribeSecretResponse & SecretListEntry, "$metadata">;

function common(secret: StoredSecret, region: string): Common {
  const { arn, name, createdAt, changedAt, settings, rotation } = secret;
  const { Description, KmsKeyId, Tags, ReplicaRegions = [] } = settings;
  return {
    ARN: arn,
    Name: name,
    Description,
    KmsKeyId,
    Tags,
    CreatedDate: createdAt,
    LastChangedDate: changedAt,
    ...(ReplicaRegions.length > 0 && { PrimaryRegion: region }),
    ...(rotation !== undefined && {
      RotationEnabled: rotation.enabled,
      RotationLambdaARN: rotation.functionArn,
      RotationRules: shownRules(rotation),
      LastRotatedDate: dateOf(rotation.rotatedAt),
      NextRotationDate: dateOf(rotation.nextBy),
    }),
  };
}

/** After a rotation, the days of a rate are also shown as days. */
function shownRules({ rules, plan, rotatedAt }: RotationSettings): RotationRulesType | undefined {
  const days = plan !== undefined && "days" in plan.cadence && rotatedAt !== undefined;
  return days ? { AutomaticallyAfterDays: plan.cadence.days, ...rules } : rules;
}

const dateOf = (instant: number | undefined): Date | undefined =>
  instant === undefined ? undefined : new Date(instant);

/** What DescribeSecret answers. */
export function described(
  secret: StoredSecret,
  region: string,
): Omit<DescribeSecretResponse, "$metadata"> {
  const { ReplicaRegions = [] } = secret.settings;
  const replicas = ReplicaRegions.map(
    (each): ReplicationStatusType => ({ ...each, Status: "InSync" }),
  );
  return {
    ...common(secret, region),
    VersionIdsToStages: secret.versions.labels,
    ...(replicas.length > 0 && { ReplicationStatus: replicas }),
  };
}

/** What ListSecrets answers of one secret. */
export const listed = (secret: StoredSecret, region: string): SecretListEntry => ({
  ...common(secret, region),
  SecretVersionsToStages: secret.versions.labels,
});
