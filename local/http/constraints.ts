/** From `min` to `max`, both included. */
export interface Range {
  readonly min?: number;
  readonly max?: number;
}

/** The constraints of AWS's model for one member of a request. */
export interface Constraint {
  /** Characters of a text, members of a list. */
  readonly length?: Range;
  /** Of a number. */
  readonly range?: Range;
  /** A regular expression for the whole text, in AWS's spelling. */
  readonly pattern?: string;
  readonly values?: readonly string[];
  /** AWS does not repeat the value in its answer. */
  readonly isSecret?: boolean;
}

/** Members by path: `Target.RoleArn`; `Filters[].Key` for each member of a list. */
export type Constraints = Readonly<Record<string, Constraint>>;

const scheduleName = { length: { min: 1, max: 64 }, pattern: "^[0-9a-zA-Z-_.]+$" };
const scheduleToken = { length: { min: 1, max: 64 }, pattern: "^[a-zA-Z0-9-_]+$" };
const scheduleState = { values: ["ENABLED", "DISABLED"] };

const scheduler: Readonly<Record<string, Constraints>> = {
  CreateSchedule: {
    ActionAfterCompletion: { values: ["NONE", "DELETE"] },
    ClientToken: scheduleToken,
    Description: { length: { max: 512 } },
    "FlexibleTimeWindow.MaximumWindowInMinutes": { range: { min: 1, max: 1_440 } },
    "FlexibleTimeWindow.Mode": { values: ["OFF", "FLEXIBLE"] },
    GroupName: scheduleName,
    KmsKeyArn: {
      length: { min: 1, max: 2_048 },
      pattern: "^arn:aws(-[a-z]+)?:kms:[a-z0-9\\-]+:\\d{12}:(key|alias)\\/[0-9a-zA-Z-_]*$",
    },
    Name: scheduleName,
    ScheduleExpression: { length: { min: 1, max: 256 } },
    ScheduleExpressionTimezone: { length: { min: 1, max: 50 } },
    State: scheduleState,
    "Target.Arn": { length: { min: 1, max: 1_600 } },
    "Target.DeadLetterConfig.Arn": {
      length: { min: 1, max: 1_600 },
      pattern: "^arn:aws(-[a-z]+)?:sqs:[a-z0-9\\-]+:\\d{12}:[a-zA-Z0-9\\-_]+$",
    },
    "Target.Input": { length: { min: 1 } },
    "Target.RetryPolicy.MaximumEventAgeInSeconds": { range: { min: 60, max: 86_400 } },
    "Target.RetryPolicy.MaximumRetryAttempts": { range: { min: 0, max: 185 } },
    "Target.RoleArn": {
      length: { min: 1, max: 1_600 },
      pattern: "^arn:aws(-[a-z]+)?:iam::\\d{12}:role\\/[\\w+=,.@\\/-]+$",
    },
  },
  GetSchedule: { GroupName: scheduleName, Name: scheduleName },
  DeleteSchedule: { ClientToken: scheduleToken, GroupName: scheduleName, Name: scheduleName },
  ListSchedules: {
    GroupName: scheduleName,
    MaxResults: { range: { min: 1, max: 100 } },
    NamePrefix: scheduleName,
    NextToken: { length: { min: 1, max: 2_048 } },
    State: scheduleState,
  },
  GetScheduleGroup: { Name: scheduleName },
  DeleteScheduleGroup: { ClientToken: scheduleToken, Name: scheduleName },
};

const secretId = { length: { min: 1, max: 2_048 } };
const versionId = { length: { min: 32, max: 64 } };
const stage = { length: { min: 1, max: 256 } };
const page = {
  MaxResults: { range: { min: 1, max: 100 } },
  NextToken: { length: { min: 1, max: 4_096 } },
};
const filters = {
  Filters: { length: { max: 10 } },
  "Filters[].Key": {
    values: [
      "description",
      "name",
      "tag-key",
      "tag-value",
      "primary-region",
      "owning-service",
      "all",
    ],
  },
  "Filters[].Values": { length: { min: 1, max: 10 } },
  "Filters[].Values[]": {
    length: { max: 512 },
    pattern: "^\\!?[a-zA-Z0-9 :_@\\/\\+\\=\\.\\-\\!]*$",
  },
};

/** Without `ClientRequestToken`: Secrets Manager has another error for it. */
const secretsmanager: Readonly<Record<string, Constraints>> = {
  GetSecretValue: { SecretId: secretId, VersionId: versionId, VersionStage: stage },
  BatchGetSecretValue: {
    SecretIdList: { length: { min: 1, max: 20 } },
    "SecretIdList[]": secretId,
    ...filters,
    MaxResults: { range: { min: 1, max: 20 } },
    NextToken: page.NextToken,
  },
  PutSecretValue: {
    SecretId: secretId,
    SecretBinary: { length: { min: 1 }, isSecret: true },
    SecretString: { length: { min: 1 }, isSecret: true },
    VersionStages: { length: { min: 1, max: 20 } },
    "VersionStages[]": stage,
    RotationToken: { length: { min: 36, max: 256 }, pattern: "^[a-zA-Z0-9\\-]+$", isSecret: true },
  },
  UpdateSecretVersionStage: {
    SecretId: secretId,
    VersionStage: stage,
    RemoveFromVersionId: versionId,
    MoveToVersionId: versionId,
  },
  DescribeSecret: { SecretId: secretId },
  ListSecrets: {
    ...page,
    ...filters,
    SortOrder: { values: ["asc", "desc"] },
    SortBy: { values: ["created-date", "last-accessed-date", "last-changed-date", "name"] },
  },
  ListSecretVersionIds: { SecretId: secretId, ...page },
  RotateSecret: {
    SecretId: secretId,
    RotationLambdaARN: { length: { max: 2_048 } },
    "RotationRules.AutomaticallyAfterDays": { range: { min: 1, max: 1_000 } },
    "RotationRules.Duration": { length: { min: 2, max: 3 }, pattern: "[0-9]+h" },
    "RotationRules.ScheduleExpression": {
      length: { min: 1, max: 256 },
      pattern: "[0-9A-Za-z\\(\\)#\\?\\*\\-\\/, ]+",
    },
  },
  CancelRotateSecret: { SecretId: secretId },
  GetRandomPassword: {
    PasswordLength: { range: { min: 1, max: 4_096 } },
    ExcludeCharacters: { length: { max: 4_096 } },
  },
};

const functionName = {
  length: { min: 1, max: 256 },
  pattern:
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?([a-zA-Z0-9-_\\.]+)(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?",
};
const qualifier = {
  length: { min: 1, max: 128 },
  pattern: "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+",
};

const lambda: Readonly<Record<string, Constraints>> = {
  Invoke: {
    FunctionName: functionName,
    InvocationType: { values: ["Event", "RequestResponse", "DryRun"] },
    LogType: { values: ["None", "Tail"] },
    Qualifier: qualifier,
  },
  GetFunctionConfiguration: { FunctionName: functionName, Qualifier: qualifier },
};

const roleName = { length: { min: 1, max: 64 }, pattern: "[\\w+=,.@-]+" };

const iam: Readonly<Record<string, Constraints>> = {
  GetRole: { RoleName: roleName },
  ListRolePolicies: { RoleName: roleName },
  GetRolePolicy: {
    RoleName: roleName,
    PolicyName: { length: { min: 1, max: 128 }, pattern: "[\\w+=,.@-]+" },
  },
};

const monitoring: Readonly<Record<string, Constraints>> = {
  GetMetricStatistics: {
    Namespace: { length: { min: 1, max: 255 }, pattern: "[^:].*" },
    MetricName: { length: { min: 1, max: 255 } },
    Dimensions: { length: { max: 30 } },
    "Dimensions[].Name": { length: { min: 1, max: 255 } },
    "Dimensions[].Value": { length: { min: 1, max: 1_024 } },
    Period: { range: { min: 1 } },
    Statistics: { length: { min: 1, max: 5 } },
    "Statistics[]": { values: ["SampleCount", "Average", "Sum", "Minimum", "Maximum"] },
  },
};

const sts: Readonly<Record<string, Constraints>> = {
  AssumeRole: {
    RoleArn: { length: { min: 20, max: 2_048 } },
    RoleSessionName: { length: { min: 2, max: 64 }, pattern: "[\\w+=,.@-]*" },
    Policy: { length: { min: 1 } },
    DurationSeconds: { range: { min: 900, max: 43_200 } },
    ExternalId: { length: { min: 2, max: 1_224 }, pattern: "[\\w+=,.@:\\/-]*" },
    SourceIdentity: { length: { min: 2, max: 64 }, pattern: "[\\w+=,.@-]*" },
    SerialNumber: { length: { min: 9, max: 256 }, pattern: "[\\w+=/:,.@-]*" },
    TokenCode: { length: { min: 6, max: 6 }, pattern: "[\\d]*" },
  },
  AssumeRoleWithWebIdentity: {
    RoleArn: { length: { min: 20, max: 2_048 } },
    RoleSessionName: { length: { min: 2, max: 64 }, pattern: "[\\w+=,.@-]*" },
    WebIdentityToken: { length: { min: 4, max: 20_000 }, isSecret: true },
    ProviderId: { length: { min: 4, max: 2_048 } },
    Policy: { length: { min: 1 } },
    DurationSeconds: { range: { min: 900, max: 43_200 } },
  },
};

const events: Readonly<Record<string, Constraints>> = {
  PutEvents: {
    Entries: { length: { min: 1, max: 10 } },
    "Entries[].Resources[]": { length: { max: 2_048 } },
    "Entries[].EventBusName": {
      length: { min: 1, max: 1_600 },
      pattern:
        "(arn:aws[\\w-]*:events:[a-z]+-[a-z]+-[\\w-]+:[0-9]{12}:event-bus\\/)?[\\.\\-_A-Za-z0-9]+",
    },
    "Entries[].TraceHeader": { length: { min: 1, max: 500 } },
  },
};

const logs: Readonly<Record<string, Constraints>> = {
  FilterLogEvents: {
    logGroupName: { length: { min: 1, max: 512 }, pattern: "[\\.\\-_/#A-Za-z0-9]+" },
    logStreamNames: { length: { min: 1, max: 100 } },
    "logStreamNames[]": { length: { min: 1, max: 512 }, pattern: "[^:*]*" },
    logStreamNamePrefix: { length: { min: 1, max: 512 }, pattern: "[^:*]*" },
    startTime: { range: { min: 0 } },
    endTime: { range: { min: 0 } },
    filterPattern: { length: { max: 1_024 } },
    nextToken: { length: { min: 1 } },
    limit: { range: { min: 1, max: 10_000 } },
  },
};

const cloudformation: Readonly<Record<string, Constraints>> = {
  DescribeStacks: { NextToken: { length: { min: 1, max: 1_024 } } },
};

/**
 * Lengths, ranges, patterns and enumerations of the operations that the local runner has, by
 * service and operation. The JavaScript SDK's schemas do not carry them. RDS's model has none for
 * the operations here.
 *
 * Source: AWS's API models, as botocore 1.43 carries them (`service-2.json` of each service).
 */
export const CONSTRAINTS: Readonly<Record<string, Readonly<Record<string, Constraints>>>> = {
  cloudformation,
  events,
  iam,
  lambda,
  logs,
  monitoring,
  scheduler,
  secretsmanager,
  sts,
};
