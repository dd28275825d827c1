import { ArnFormat, Duration, Fn, RemovalPolicy, Stack, Token } from "aws-cdk-lib";
import { PolicyStatement, Role, ServicePrincipal } from "aws-cdk-lib/aws-iam";
import { ScheduleGroup } from "aws-cdk-lib/aws-scheduler";
import { Queue, QueueEncryption } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import type { MayflyFunction } from "./mayfly-function.ts";

/** A queue for failed work: encrypted, TLS only, messages kept for two weeks. */
export const makeFailureQueue = (scope: Construct, id: string): Queue =>
  new Queue(scope, id, {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    removalPolicy: RemovalPolicy.DESTROY,
  });

/** A role that Scheduler assumes only for the schedules of one group, in this account. */
export function makeSchedulerRole(scope: Construct, id: string, groupArn: string): Role {
  const conditions = {
    StringEquals: { "aws:SourceAccount": Stack.of(scope).account, "aws:SourceArn": groupArn },
  };
  return new Role(scope, id, {
    assumedBy: new ServicePrincipal("scheduler.amazonaws.com", { conditions }),
  });
}

/** A group's name has 64 characters at most; a UUID, the tag and "mayfly" leave this many. */
const STACK_NAME_LENGTH = 15;

/**
 * A name that is new each time the stack is created, because it holds the UUID of the stack's id. A
 * deletion may keep the group, and the next creation must not collide with it.
 */
function groupNameOf(stack: Stack, tag: string): string {
  const { stackId, stackName } = stack;
  const uuid = Fn.select(2, Fn.split("/", stackId));
  const name = Token.isUnresolved(stackName) ? "" : `${stackName.slice(0, STACK_NAME_LENGTH)}-`;
  return `mayfly-${name}${tag}-${uuid}`;
}

/** The group with one schedule for each lease, and the role of these schedules. */
export class RevocationSchedules extends Construct {
  readonly groupName: string;
  readonly role: Role;
  readonly deadLetters: Queue;
  readonly #groupArn: string;
  readonly #scheduleArns: string;

  constructor(scope: Construct, id: string, tag: string) {
    super(scope, id);
    const group = new ScheduleGroup(this, "Group", {
      scheduleGroupName: groupNameOf(Stack.of(this), tag),
      // the provisioner deletes it, after every lease has ended
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

  /** Set the queue to which the schedules send. */
  fill(queue: Queue): void {
    this.role.addToPolicy(
      new PolicyStatement({
        sid: "Revoke",
        actions: ["sqs:SendMessage"],
        resources: [queue.queueArn],
      }),
    );
  }

  /** Allow a function to create schedules in the group. */
  allowCreate(maker: MayflyFunction): void {
    maker.allow("CreateSchedules", ["scheduler:CreateSchedule"], [this.#scheduleArns]);
    maker.allow("PassSchedulerRole", ["iam:PassRole"], [this.role.roleArn], {
      StringEquals: { "iam:PassedToService": "scheduler.amazonaws.com" },
    });
  }

  /** Allow a function to list the group's schedules, to compare them with the leases. */
  allowCompare(reader: MayflyFunction): void {
    const actions = ["scheduler:GetSchedule", "scheduler:DeleteSchedule"];
    reader.allow("CompareSchedules", actions, [this.#scheduleArns]);
    // this action has no resource in IAM
    reader.allow("ListSchedules", ["scheduler:ListSchedules"], ["*"]);
  }

  /** Allow a function to delete the group and its schedules: AWS requires both permissions. */
  allowRemove(remover: MayflyFunction): void {
    remover.allow("RemoveGroup", ["scheduler:DeleteScheduleGroup"], [this.#groupArn]);
    remover.allow("RemoveSchedules", ["scheduler:DeleteSchedule"], [this.#scheduleArns]);
  }
}
