import { ArnFormat, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { Construct } from "constructs";
import type { LambdaIdentity } from "../../config/config.ts";
import { parseLambda } from "../../config/parts.ts";
import { lambdaTrust } from "../../core/aws/trust/services.ts";
import { networkStatements } from "../functions/network-statements.ts";
import { type ConsumerRoleProps, IdentityRole, splitProps } from "./identity-role.ts";

/** Properties of a LambdaRole. */
export type LambdaRoleProps = LambdaIdentity & ConsumerRoleProps;

/**
 * A role for one Lambda function: it may write its own log, and, in a VPC, Lambda may make its
 * network interfaces. Create the function with this role and this name.
 */
export class LambdaRole extends IdentityRole {
  /** @throws ConfigError with every problem of the properties, one per line. */
  constructor(scope: Construct, id: string, props: LambdaRoleProps) {
    const [identity, rest] = splitProps(props);
    const { functionName, vpc } = parseLambda(id, identity);
    super(scope, id, lambdaTrust(), { description: `Mayfly: function ${functionName}`, ...rest });
    const logGroup = Stack.of(this).formatArn({
      service: "logs",
      resource: "log-group",
      resourceName: `/aws/lambda/${functionName}`,
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
    this.addToPolicy(
      new PolicyStatement({
        sid: "OwnLogs",
        actions: ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
        resources: [logGroup, `${logGroup}:log-stream:*`],
      }),
    );
    if (vpc) for (const statement of networkStatements()) this.addToPolicy(statement);
  }
}
