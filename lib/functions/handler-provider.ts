import type { IFunction } from "aws-cdk-lib/aws-lambda";
import { Provider } from "aws-cdk-lib/custom-resources";
import { Construct } from "constructs";
import { makeFunctionRole, makeLogGroup } from "./mayfly-function.ts";

/**
 * CDK's provider framework in front of a handler in a VPC. The framework itself is outside the VPC,
 * because it must write its answer to S3, and the VPC may have no way to S3.
 */
export class HandlerProvider extends Construct {
  readonly serviceToken: string;

  constructor(scope: Construct, id: string, handler: IFunction) {
    super(scope, id);
    const logGroup = makeLogGroup(this);
    const provider = new Provider(this, "Provider", {
      onEventHandler: handler,
      logGroup,
      frameworkOnEventRole: makeFunctionRole(this, logGroup),
    });
    this.serviceToken = provider.serviceToken;
  }
}
