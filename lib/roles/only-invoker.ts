import { Effect, PolicyDocument, PolicyStatement, StarPrincipal } from "aws-cdk-lib/aws-iam";
import { CfnResourcePolicy } from "aws-cdk-lib/aws-lambda";
import type { Construct } from "constructs";
import type { AllowedCallers } from "../identity/role-elsewhere.ts";

/** Every action that invokes a function. */
const INVOCATIONS = ["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:InvokeAsync"];

/** Deny invocations by all principals but some, also by a principal without an ARN. */
export const denyOtherInvokers = (
  sid: string,
  functionArn: string,
  { operator, arns }: AllowedCallers,
): PolicyStatement =>
  new PolicyStatement({
    sid,
    effect: Effect.DENY,
    principals: [new StarPrincipal()],
    actions: INVOCATIONS,
    resources: [functionArn],
    conditions: { [operator]: { "aws:PrincipalArn": arns } },
  });

/** A resource policy of a function or an alias, by which only one role may invoke it. */
export const sealInvocations = (
  scope: Construct,
  sid: string,
  functionArn: string,
  roleArn: string,
): CfnResourcePolicy =>
  new CfnResourcePolicy(scope, "ResourcePolicy", {
    resourceArn: functionArn,
    policyDocument: new PolicyDocument({
      statements: [
        denyOtherInvokers(sid, functionArn, { operator: "StringNotEquals", arns: roleArn }),
      ],
    }),
  });
