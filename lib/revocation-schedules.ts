import { ArnFormat, Aws, Duration, Fn, RemovalPolicy, Stack } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { ScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { MayflyFunction } from "./mayfly-function.ts";

/** A queue for what could not be done: encrypted, TLS only, kept for two weeks. */
export const makeFailureQueue = (scope: Construct, id: string): Queue =>
  new Queue(scope, id, {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    removalPolicy: RemovalPolicy.DESTROY,
  });

/** A role that Scheduler assumes for the schedules of one group and no other account's. */
export function makeSchedulerRole(scope: Construct, id: string, groupArn: string): Role {
  const conditions = {
    StringEquals: { "aws:SourceAccount": Stack.of(scope).account, "aws:SourceArn": groupArn },
  };
  return new Role(scope, id, {
    assumedBy: new ServicePrincipal("scheduler.amazonaws.com", { conditions }),
  });
}

const UNIQUE_LENGTH = 8;

/** What is left of the 64 characters of a group's name. */
export const LONGEST_PREFIX = 64 - "-".length - UNIQUE_LENGTH;

/** The first part of the UUID in the stack's id, which CloudFormation never uses twice. */
const onceUsed = (): string =>
  Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))));

/** The group in which every lease has a one-time schedule, and what those schedules may do. */
export class RevocationSchedules extends Construct {
  readonly groupName: string;
  readonly role: Role;
  readonly deadLetters: Queue;
  readonly #groupArn: string;
  readonly #scheduleArns: string;

  /** `groupName` is of at most {@link LONGEST_PREFIX} characters. */
  constructor(scope: Construct, id: string, groupName: string) {
    super(scope, id);
    const group = new ScheduleGroup(this, "Group", {
      // a group that is kept must not block the next deployment under the stack's name
      scheduleGroupName: `${groupName}-${onceUsed()}`,
      // the provisioner deletes it when no lease is left; a failed creation takes it back
      removalPolicy: RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    });
    this.groupName = group.scheduleGroupName;
    this.#groupArn = group.scheduleGroupArn;
    this.role = makeSchedulerRole(this, "Role", group.scheduleGroupArn);
    this.deadLetters = makeFailureQueue(this, "DeadLetters");
    this.#scheduleArns = Stack.of(this).formatArn({
      service: "scheduler",
      resource: "schedule",
      resourceName: `${this.groupName}/*`,
      arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
    });
    this.role.addToPolicy(
      new PolicyStatement({
        sid: "DeadLetters",
        actions: ["sqs:SendMessage"],
        resources: [this.deadLetters.queueArn],
      }),
    );
  }

  /** Name the function that schedules invoke. */
  invoke(revoker: MayflyFunction): void {
    this.role.addToPolicy(
      new PolicyStatement({
        sid: "Revoke",
        actions: ["lambda:InvokeFunction"],
        resources: [revoker.lambda.functionArn],
      }),
    );
  }

  /** Let a function make schedules in the group. */
  allowCreate(maker: MayflyFunction): void {
    maker.allow("CreateSchedules", ["scheduler:CreateSchedule"], [this.#scheduleArns]);
    maker.allow("PassSchedulerRole", ["iam:PassRole"], [this.role.roleArn], {
      StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" },
    });
  }

  /** Let a function compare the group's schedules with the leases. */
  allowCompare(reader: MayflyFunction): void {
    const actions = ["scheduler:GetSchedule", "scheduler:DeleteSchedule"];
    reader.allow("CompareSchedules", actions, [this.#scheduleArns]);
    // IAM knows no resource for this action
    reader.allow("ListSchedules", ["scheduler:ListSchedules"], ["*"]);
  }

  /** Let a function delete the group, and with it every schedule that is left. */
  allowDelete(remover: MayflyFunction): void {
    remover.allow("DeleteSchedules", ["scheduler:DeleteSchedule"], [this.#scheduleArns]);
    remover.allow("DeleteScheduleGroup", ["scheduler:DeleteScheduleGroup"], [this.#groupArn]);
  }
}
