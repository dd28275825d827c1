/** What is tried on every resource of a kind: an action, and the context that it is tried in. */
export interface Attempt {
  /** The action, and in words what its context says. */
  readonly name: string;
  readonly action: string;
  readonly context: Readonly<Record<string, string>>;
}

const plain = (service: string, names: string): readonly Attempt[] =>
  names
    .trim()
    .split(/\s+/)
    .map((name) => ({ name: `${service}:${name}`, action: `${service}:${name}`, context: {} }));

const passTo = (service: string): Attempt => ({
  name: `iam:PassRole to ${service}`,
  action: "iam:PassRole",
  context: { "iam:PassedToService": `${service}.amazonaws.com` },
});

/** As Lambda calls EC2 with a function's role, and as the function's code would. */
const inBothWays = (names: string): readonly Attempt[] =>
  plain("ec2", names).flatMap(({ name, action }): readonly Attempt[] => [
    { name: `${name} by Lambda`, action, context: {} },
    {
      name: `${name} from code`,
      action,
      context: {
        "lambda:SourceFunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:any",
      },
    },
  ]);

const INVOCATIONS = "InvokeFunction InvokeAsync InvokeFunctionUrl";

/** The closed list of attempts, by kind of resource. */
export const ATTEMPTS = {
  secret: plain(
    "secretsmanager",
    `DescribeSecret GetSecretValue PutSecretValue UpdateSecretVersionStage UpdateSecret
     RotateSecret DeleteSecret PutResourcePolicy`,
  ),
  function: plain(
    "lambda",
    `${INVOCATIONS} GetFunction UpdateFunctionCode UpdateFunctionConfiguration PublishVersion
     CreateAlias UpdateAlias DeleteAlias AddPermission RemovePermission PutResourcePolicy
     DeleteResourcePolicy CreateFunctionUrlConfig PutFunctionConcurrency DeleteFunction`,
  ),
  alias: plain("lambda", `${INVOCATIONS} GetFunction PutResourcePolicy AddPermission`),
  role: [
    passTo("scheduler"),
    passTo("lambda"),
    ...plain(
      "iam",
      "PutRolePolicy AttachRolePolicy UpdateAssumeRolePolicy DeleteRolePermissionsBoundary",
    ),
    ...plain("sts", "AssumeRole AssumeRoleWithWebIdentity TagSession"),
  ],
  queue: plain(
    "sqs",
    `SendMessage ReceiveMessage DeleteMessage GetQueueAttributes PurgeQueue SetQueueAttributes
     AddPermission`,
  ),
  schedule: plain("scheduler", "CreateSchedule GetSchedule UpdateSchedule DeleteSchedule"),
  group: plain("scheduler", "GetScheduleGroup CreateScheduleGroup DeleteScheduleGroup"),
  instance: plain("rds", "DescribeDBInstances ModifyDBInstance DeleteDBInstance"),
  log: plain(
    "logs",
    "CreateLogStream PutLogEvents GetLogEvents DeleteLogGroup PutSubscriptionFilter",
  ),
  key: plain("kms", "Decrypt GenerateDataKey Encrypt CreateGrant"),
  subnet: inBothWays("CreateNetworkInterface"),
  interface: inBothWays(
    "DeleteNetworkInterface AssignPrivateIpAddresses UnassignPrivateIpAddresses",
  ),
  account: [
    ...inBothWays("DescribeNetworkInterfaces DescribeSubnets"),
    ...plain("scheduler", "ListSchedules"),
    ...plain("secretsmanager", "ListSecrets GetRandomPassword"),
    ...plain("lambda", "ListFunctions"),
  ],
} as const satisfies Readonly<Record<string, readonly Attempt[]>>;

export type Kind = keyof typeof ATTEMPTS;
