import { Stack } from "aws-cdk-lib";
import type { InterfaceVpcEndpoint } from "aws-cdk-lib/aws-ec2";
import { PolicyStatement, StarPrincipal } from "aws-cdk-lib/aws-iam";

/** What passes an endpoint: the actions of a service, and the ends of their resources' ARNs. */
interface Passing {
  readonly service: string;
  readonly actions: readonly string[];
  /** `*` for actions that have no resource in IAM. */
  readonly resources: readonly string[];
}

/** Everything that a function or a consumer in the sandbox calls, by endpoint. */
export const PASSING = {
  SecretsManager: [
    {
      service: "secretsmanager",
      actions: ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"],
      resources: ["secret:*"],
    },
  ],
  Scheduler: [
    {
      service: "scheduler",
      actions: ["CreateSchedule", "DeleteSchedule", "DeleteScheduleGroup", "GetSchedule"],
      resources: ["schedule/*", "schedule-group/*"],
    },
    { service: "scheduler", actions: ["ListSchedules"], resources: ["*"] },
  ],
  Lambda: [{ service: "lambda", actions: ["InvokeFunction"], resources: ["function:*"] }],
  Rds: [
    {
      service: "rds",
      actions: ["DescribeDBInstances", "ModifyDBInstance"],
      resources: ["db:*"],
    },
  ],
} as const satisfies Readonly<Record<string, readonly Passing[]>>;

/**
 * Let only principals of the stack's account through an endpoint, to what {@link PASSING} lists in
 * that account: whoever runs code in the VPC cannot send data to another account through it.
 */
export function restrict(endpoint: InterfaceVpcEndpoint, name: keyof typeof PASSING): void {
  const { partition, region, account } = Stack.of(endpoint);
  const passing: readonly Passing[] = PASSING[name];
  for (const { service, actions, resources } of passing)
    endpoint.addToPolicy(
      new PolicyStatement({
        principals: [new StarPrincipal()],
        actions: actions.map((each) => `${service}:${each}`),
        resources: resources.map((each) =>
          each === "*" ? each : `arn:${partition}:${service}:${region}:${account}:${each}`,
        ),
        conditions: { StringEquals: { "aws:PrincipalAccount": account } },
      }),
    );
}
