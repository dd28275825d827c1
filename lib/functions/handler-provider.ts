import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Provider } from "aws-cdk-lib/custom-resources";
import { Construct } from "constructs";
import { sealInvocations } from "../roles/only-invoker.ts";
import { makeFunctionRole, makeLogGroup } from "./mayfly-function.ts";

/**
 * CDK's provider framework in front of a handler in a VPC. The framework itself is outside the VPC,
 * because it must write its answer to S3, and the VPC may have no way to S3.
 *
 * The handler does what CloudFormation's event says, so only the framework's role may invoke it by
 * its ARN without a qualifier, unless the Region has no such policies.
 */
export class HandlerProvider extends Construct {
  readonly serviceToken: string;

  constructor(
    scope: Construct,
    id: string,
    { handler, unsealed }: { readonly handler: IFunction; readonly unsealed: boolean },
  ) {
    super(scope, id);
    const logGroup = makeLogGroup(this);
    const role = makeFunctionRole(this, logGroup);
    // CDK would let the framework also invoke every version and alias, which it never does
    const onEventHandler: IFunction = Object.create(handler, {
      resourceArnsForGrantInvoke: { value: [handler.functionArn] },
    });
    const provider = new Provider(this, "Provider", {
      onEventHandler,
      logGroup,
      frameworkOnEventRole: role,
    });
    this.serviceToken = provider.serviceToken;
    if (!unsealed) sealInvocations(this, "OnlyTheFramework", handler.functionArn, role.roleArn);
  }
}
