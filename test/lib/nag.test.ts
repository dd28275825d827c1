import type { App } from "aws-cdk-lib";
import { AwsSolutionsChecks } from "cdk-nag";
import { expect, test } from "vitest";
import { shippedStack } from "./synthesized.ts";

/** What cdk-nag finds in the shipped stack, and why it stays. */
const EXPLAINED: readonly (readonly [RegExp, string])[] = [
  [/^AwsSolutions-VPC7$/, "the sandbox's VPC has no way out; flow logs would cost more than it"],
  [/^AwsSolutions-EC23$/, "the rule cannot read the VPC's CIDR, to which the endpoints are open"],
  [/^AwsSolutions-RDS3$/, "a sandbox may be down when a zone is"],
  [/^AwsSolutions-RDS10$/, "a sandbox is there to be deleted"],
  [/^AwsSolutions-RDS11$/, "a port is no secret"],
  [/^AwsSolutions-SMG4$/, "of all secrets, the pepper alone is not rotated"],
  [/^AwsSolutions-SQS3$/, "the queue is where schedules end that Scheduler could not deliver"],
  [/^AwsSolutions-IAM5\[Resource::\*\]$/, "EC2 and ListSchedules know no resources here"],
  [/^AwsSolutions-IAM5\[.*:schedule\/.*\/\*\]$/, "schedules are named at run time, in one group"],
];

test("every finding of cdk-nag is explained, and every explanation is needed", () => {
  const stack = shippedStack();
  const { violations } = new AwsSolutionsChecks(stack.node.root as App).validateScope(stack);
  const rules = violations.map(({ ruleName }) => ruleName);
  const explains = (rule: string): boolean => EXPLAINED.some(([pattern]) => pattern.test(rule));
  expect(rules.filter((rule) => !explains(rule))).toEqual([]);
  const needless = EXPLAINED.filter(([pattern]) => !rules.some((rule) => pattern.test(rule)));
  expect(needless).toEqual([]);
});
