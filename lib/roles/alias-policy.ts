import { Annotations, Aws, CfnRule, Fn, Stack, Token } from "aws-cdk-lib";
import type { Construct } from "constructs";

/**
 * Regions whose CloudFormation has no `AWS::Lambda::ResourcePolicy`, by which an alias refuses
 * everybody but its consumer. Source: the registry data of cfn-lint 1.58, read on 2026-11-29.
 */
const WITHOUT_POLICIES = [
  "cn-north-1",
  "cn-northwest-1",
  "me-central-1",
  "us-gov-east-1",
  "us-gov-west-1",
];

const RULE = "AliasPoliciesInRegion";

const REMEDY =
  "deploy to another Region, or write aliasUnsealed: true, and then anybody with lambda:InvokeFunction on a consumer's alias can ask as that consumer";

/**
 * CloudFormation would check a rule of a nested stack too late: after resources of its parent
 * exist.
 */
function outermost(stack: Stack): Stack {
  return stack.nestedStackParent === undefined ? stack : outermost(stack.nestedStackParent);
}

/**
 * Check that the Region has policies for aliases, or warn that the aliases will have none. If the
 * Region is not known yet, CloudFormation refuses the template before it makes anything.
 *
 * @throws Error if the Region is known not to have them.
 */
export function checkAliasPolicies(scope: Construct, database: string, unsealed: boolean): void {
  const stack = outermost(Stack.of(scope));
  const { region } = stack;
  if (unsealed) {
    Annotations.of(scope).addWarningV2(
      "mayfly:alias-unsealed",
      `aliases of ${database} have no policy (aliasUnsealed): anybody with lambda:InvokeFunction on a consumer's alias can ask as that consumer`,
    );
    return;
  }
  if (WITHOUT_POLICIES.includes(region))
    throw new Error(
      `${database}: Region "${region}" has no AWS::Lambda::ResourcePolicy, by which an alias refuses everybody but its consumer; ${REMEDY}`,
    );
  if (!Token.isUnresolved(region) || stack.node.tryFindChild(RULE) !== undefined) return;
  new CfnRule(stack, RULE, {
    assertions: [
      {
        assert: Fn.conditionNot(Fn.conditionContains(WITHOUT_POLICIES, Aws.REGION)),
        assertDescription: `This Region has no AWS::Lambda::ResourcePolicy, by which an alias refuses everybody but its consumer; ${REMEDY}`,
      },
    ],
  });
}
