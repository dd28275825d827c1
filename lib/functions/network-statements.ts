import { Effect, PolicyStatement } from "aws-cdk-lib/aws-iam";

/** Calls by which Lambda connects a function to a VPC. EC2 allows no resource in their policy. */
const NETWORK_INTERFACES = [
  "ec2:CreateNetworkInterface",
  "ec2:DescribeNetworkInterfaces",
  "ec2:DescribeSubnets",
  "ec2:DeleteNetworkInterface",
  "ec2:AssignPrivateIpAddresses",
  "ec2:UnassignPrivateIpAddresses",
];

/**
 * What a function in a VPC needs. Only calls of the code have a source function, so Lambda may make
 * these calls and the code may not.
 */
export const networkStatements = (): readonly PolicyStatement[] => [
  new PolicyStatement({
    sid: "NetworkInterfaces",
    actions: NETWORK_INTERFACES,
    resources: ["*"],
  }),
  new PolicyStatement({
    sid: "NotFromCode",
    effect: Effect.DENY,
    actions: NETWORK_INTERFACES,
    resources: ["*"],
    conditions: { Null: { "lambda:SourceFunctionArn": "false" } },
  }),
];
