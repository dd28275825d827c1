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

/** A secret's settings in the template, except its value. */
export interface SecretSettings {
  readonly Description?: string;
  readonly KmsKeyId?: string;
  readonly Tags?: Tag[];
  readonly ReplicaRegions?: readonly { readonly Region: string; readonly KmsKeyId?: string }[];
}

/** How a secret is rotated. It stays if rotation is turned off. Times are those of `Clock`. */
export interface RotationSettings {
  readonly enabled: boolean;
  readonly functionArn: string;
  /** The rules of the request. Undefined: rotation on request only. */
  readonly rules?: RotationRulesType | undefined;
  readonly plan?: RotationPlan | undefined;
  /** Time of the last completed rotation. */
  readonly rotatedAt?: number | undefined;
  /** The start of the schedule: the last rotation or the last new value by hand. */
  readonly countedFrom: number;
  /** The end of the window of the next rotation. */
  readonly nextBy?: number | undefined;
}

/** A stored secret. */
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

/** After a rotation, AWS also shows the days of a rate as days. */
function shownRules({ rules, plan, rotatedAt }: RotationSettings): RotationRulesType | undefined {
  const days = plan !== undefined && "days" in plan.cadence && rotatedAt !== undefined;
  return days ? { AutomaticallyAfterDays: plan.cadence.days, ...rules } : rules;
}

const dateOf = (instant: number | undefined): Date | undefined =>
  instant === undefined ? undefined : new Date(instant);

/** The answer of DescribeSecret. */
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

/** The entry of one secret in the answer of ListSecrets. */
export const listed = (secret: StoredSecret, region: string): SecretListEntry => ({
  ...common(secret, region),
  SecretVersionsToStages: secret.versions.labels,
});
