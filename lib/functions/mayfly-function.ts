import { type Duration, RemovalPolicy } from "aws-cdk-lib";
import { type IPrincipal, PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import {
  Architecture,
  type Code,
  Function as LambdaFunction,
  Runtime,
} from "aws-cdk-lib/aws-lambda";
import { LogGroup, RetentionDays } from "aws-cdk-lib/aws-logs";
import { Construct } from "constructs";
import { METRIC_NAMESPACE, METRIC_SERVICE } from "../../core/metric.ts";
import type { FunctionNetwork } from "./function-network.ts";
import { networkStatements } from "./network-statements.ts";

/** Properties of a MayflyFunction. */
export interface MayflyFunctionProps {
  /**
   * Physical name, up to 64 characters.
   * @default - CloudFormation generates a name
   */
  readonly functionName?: string;
  readonly description: string;
  readonly code: Code;
  /** @default - outside any VPC */
  readonly network?: FunctionNetwork;
  readonly timeout: Duration;
  /**
   * MiB.
   * @default 512
   */
  readonly memorySize?: number;
  /** @default - none reserved */
  readonly reservedConcurrentExecutions?: number;
  readonly environment: Readonly<Record<string, string>>;
  /**
   * The principals that may assume the function's role, Lambda included.
   * @default - only Lambda
   */
  readonly assumedBy?: IPrincipal;
  /**
   * Physical name of the function's role.
   * @default - CloudFormation generates a name
   */
  readonly roleName?: string | undefined;
}

/** A role that Lambda assumes. It may only write to one log group. */
export function makeFunctionRole(
  scope: Construct,
  logGroup: LogGroup,
  {
    assumedBy = new ServicePrincipal("lambda.amazonaws.com"),
    roleName,
  }: Pick<MayflyFunctionProps, "assumedBy" | "roleName"> = {},
): Role {
  const role = new Role(scope, "Role", { assumedBy, ...(roleName !== undefined && { roleName }) });
  role.addToPolicy(
    new PolicyStatement({
      sid: "OwnLogs",
      actions: ["logs:CreateLogStream", "logs:PutLogEvents"],
      resources: [logGroup.logGroupArn],
    }),
  );
  return role;
}

/** A log group that keeps lines for a month and is deleted with the stack. */
export const makeLogGroup = (scope: Construct, logGroupName?: string): LogGroup =>
  new LogGroup(scope, "Logs", {
    retention: RetentionDays.ONE_MONTH,
    removalPolicy: RemovalPolicy.DESTROY,
    ...(logGroupName !== undefined && { logGroupName }),
  });

/** One function with its own log group and its own role, without AWS-managed policies. */
export class MayflyFunction extends Construct {
  readonly lambda: LambdaFunction;
  readonly role: Role;
  /** What it was made with. */
  readonly environment: Readonly<Record<string, string>>;

  constructor(scope: Construct, id: string, props: MayflyFunctionProps) {
    super(scope, id);
    const { network, functionName } = props;
    const logGroup = makeLogGroup(this, functionName && `/aws/lambda/${functionName}`);
    this.role = makeFunctionRole(this, logGroup, props);
    if (network !== undefined)
      for (const statement of networkStatements()) this.role.addToPolicy(statement);
    this.environment = {
      POWERTOOLS_SERVICE_NAME: METRIC_SERVICE,
      POWERTOOLS_METRICS_NAMESPACE: METRIC_NAMESPACE,
      ...props.environment,
    };
    this.lambda = new LambdaFunction(this, "Resource", {
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: "index.handler",
      code: props.code,
      description: props.description,
      timeout: props.timeout,
      memorySize: props.memorySize ?? 512,
      environment: this.environment,
      ...(network && { vpc: network.vpc, securityGroups: [network.securityGroup] }),
      ...(network?.vpcSubnets !== undefined && { vpcSubnets: network.vpcSubnets }),
      role: this.role,
      logGroup,
      ...(functionName !== undefined && { functionName }),
      ...(props.reservedConcurrentExecutions !== undefined && {
        reservedConcurrentExecutions: props.reservedConcurrentExecutions,
      }),
    });
  }

  /** Allow the function these actions. */
  allow(sid: string, actions: string[], resources: string[], conditions = {}): void {
    this.role.addToPolicy(new PolicyStatement({ sid, actions, resources, conditions }));
  }
}
