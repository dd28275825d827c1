import { INSTANCES_SERVICE, TASKS_SERVICE } from "../workload-identity.ts";
import type { RolePlace, TrustStatement } from "./statement.ts";

const serviceTrust = (service: string): TrustStatement => ({
  Effect: "Allow",
  Principal: { Service: service },
  Action: "sts:AssumeRole",
});

/**
 * The trust of ECS tasks of one account and Region. The source is a task or its cluster: ECS
 * documents no narrower `aws:SourceArn` (Amazon ECS Developer Guide, "Amazon ECS task IAM role").
 */
export const ecsTaskTrust = ({ partition, region, account }: RolePlace): TrustStatement => ({
  ...serviceTrust(TASKS_SERVICE),
  Condition: {
    StringEquals: { "aws:SourceAccount": account },
    ArnLike: { "aws:SourceArn": `arn:${partition}:ecs:${region}:${account}:*` },
  },
});

/** The trust of EC2 instances. EC2 sends no source: who may pass the role decides. */
export const ec2Trust = (): TrustStatement => serviceTrust(INSTANCES_SERVICE);

/** The trust of Lambda functions. Lambda sends no source: who may pass the role decides. */
export const lambdaTrust = (): TrustStatement => serviceTrust("lambda.amazonaws.com");
