import { Annotations, ArnFormat, Duration, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import type { EventSourceMapping } from "aws-cdk-lib/aws-lambda";
import { Schedule, ScheduleExpression, ScheduleTargetInput } from "aws-cdk-lib/aws-scheduler";
import { Construct } from "constructs";
import { CONCURRENCY, connectionsOfLogin, issuersThatFit } from "../../core/concurrency.ts";
import type { Deployment } from "../../core/leases/deployment.ts";
import { SWEEP_REQUEST } from "../../core/leases/operation/sweep-request.ts";
import { operationArn } from "../../core/provisioning/operation.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { allowRead, type LeaseSecrets } from "../database/lease-secrets.ts";
import type { ReaderAccess } from "../database/reader-access.ts";
import { bundleFolder, FunctionCode } from "./function-code.ts";
import type { FunctionNetwork } from "./function-network.ts";
import { MayflyFunction } from "./mayfly-function.ts";
import { RevocationQueue } from "./revocation-queue.ts";
import { makeSchedulerRole, type RevocationSchedules } from "./revocation-schedules.ts";

type Name = keyof typeof CONCURRENCY;

/** MiB and seconds. Callers wait for the issuer, so it gets more memory, and with it processor. */
const SIZES: Readonly<Record<Name, { readonly memory: number; readonly timeout: number }>> = {
  issuer: { memory: 1024, timeout: 30 },
  revoker: { memory: 512, timeout: 60 },
  sweeper: { memory: 512, timeout: 240 },
  // it waits for the provisioner, which may need minutes
  operator: { memory: 512, timeout: 300 },
};

/** Properties of LeaseFunctions. */
export interface LeaseFunctionsProps {
  readonly database: string;
  /** Folder of the bundles. */
  readonly assets: string;
  readonly network: FunctionNetwork;
  /** `DB_HOST`, `DB_PORT`, `SERVER_ID`, and the addresses of readers. */
  readonly address: Readonly<Record<string, string>>;
  readonly readers: ReaderAccess;
  readonly secrets: LeaseSecrets;
  readonly schedules: RevocationSchedules;
  readonly reserveConcurrency: boolean;
  /** The physical name of a function. */
  readonly nameOf: (name: string) => string;
}

/** Issuer, revoker, sweeper and operator of one database, each with the permissions it needs. */
export class LeaseFunctions extends Construct {
  readonly issuer: MayflyFunction;
  readonly revoker: MayflyFunction;
  readonly sweeper: MayflyFunction;
  readonly operator: MayflyFunction;
  /** The queue that schedules fill and the revoker empties. */
  readonly revocations: RevocationQueue;
  /** The mapping that reads the queue for the revoker. It must exist while there may be leases. */
  readonly revocationMapping: EventSourceMapping;
  /** Scheduler invokes it when it is created, so the database must be ready before. */
  readonly sweepSchedule: Schedule;
  readonly #props: LeaseFunctionsProps;
  readonly #codes: [MayflyFunction, FunctionCode][] = [];

  constructor(scope: Construct, id: string, props: LeaseFunctionsProps) {
    super(scope, id);
    this.#props = props;
    const { secrets, schedules, database } = props;
    if (!props.reserveConcurrency)
      Annotations.of(this).addWarningV2(
        "mayfly:connections",
        `without reserved concurrency the issuer of ${database} may run in any number of instances, and each has a connection: the login has ${connectionsOfLogin(false)} connections, so PostgreSQL refuses the login of more than ${issuersThatFit()} instances at once (53300, retryable); reserve concurrency as soon as the account's quota allows`,
      );
    this.revocations = new RevocationQueue(this, "Revocations", {
      sender: schedules.role,
      timeout: Duration.seconds(SIZES.revoker.timeout),
    });
    schedules.fill(this.revocations.queue);
    this.issuer = this.#make("issuer", `issues leases of ${database}`, {
      PEPPER_SECRET_ARN: secrets.pepper.secretArn,
    });
    this.revoker = this.#make("revoker", `revokes leases of ${database} when they are due`);
    this.sweeper = this.#make("sweeper", `finds what other functions of ${database} missed`);
    const converge = operationArn(this.#arnOf("provisioner"), "converge");
    this.operator = this.#make("operator", `lists and revokes leases of ${database} for people`, {
      CONVERGE_ARN: converge,
    });
    this.operator.allow("Converge", ["lambda:InvokeFunction"], [converge]);
    allowRead(this.issuer, [secrets.issuer, secrets.janitor, secrets.pepper]);
    for (const each of [this.revoker, this.sweeper, this.operator])
      allowRead(each, [secrets.issuer, secrets.janitor]);
    for (const each of [this.issuer, this.revoker, this.sweeper, this.operator]) {
      schedules.allowCreate(each);
      props.readers.allowList(each);
    }
    for (const each of [this.sweeper, this.operator]) schedules.allowCompare(each);
    this.revocationMapping = this.revocations.feed(this.revoker);
    this.sweepSchedule = this.#sweepEveryFiveMinutes();
  }

  /**
   * Write the `deployment.json` of each function. Only the sweeper checks rotated secrets, and only
   * the operator compares the database with the plan.
   */
  complete({ rotatedSecrets, ...leases }: Deployment, plan: ProvisionPlan): void {
    for (const [scope, code] of this.#codes) {
      const secrets = scope === this.sweeper && { rotatedSecrets };
      code.complete(scope, {
        "deployment.json": { ...leases, ...secrets },
        ...(scope === this.operator && { "plan.json": plan }),
      });
    }
  }

  #make(name: Name, purpose: string, environment: Record<string, string> = {}): MayflyFunction {
    const { assets, network, address, secrets, schedules, nameOf } = this.#props;
    const code = new FunctionCode(bundleFolder(assets, name));
    const made = new MayflyFunction(
      this,
      name.replace(/^./, (c) => c.toUpperCase()),
      {
        functionName: nameOf(name),
        description: `Mayfly: ${purpose}`,
        code,
        network,
        timeout: Duration.seconds(SIZES[name].timeout),
        memorySize: SIZES[name].memory,
        ...(this.#props.reserveConcurrency && { reservedConcurrentExecutions: CONCURRENCY[name] }),
        environment: {
          ...address,
          ISSUER_SECRET_ARN: secrets.issuer.secretArn,
          JANITOR_SECRET_ARN: secrets.janitor.secretArn,
          SCHEDULE_GROUP: schedules.groupName,
          SCHEDULER_ROLE_ARN: schedules.role.roleArn,
          REVOCATION_QUEUE_ARN: this.revocations.queue.queueArn,
          SCHEDULE_DLQ_ARN: schedules.deadLetters.queueArn,
          ...environment,
        },
      },
    );
    this.#codes.push([made, code]);
    return made;
  }

  /** An ARN made from a name, for a function that is created later. */
  #arnOf(name: string): string {
    return Stack.of(this).formatArn({
      service: "lambda",
      resource: "function",
      resourceName: this.#props.nameOf(name),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }

  #sweepEveryFiveMinutes(): Schedule {
    const stack = Stack.of(this);
    const role = makeSchedulerRole(
      this,
      "SweepRole",
      stack.formatArn({
        service: "scheduler",
        resource: "schedule-group",
        resourceName: "default",
      }),
    );
    const arn = this.sweeper.lambda.functionArn;
    role.addToPolicy(
      new PolicyStatement({ sid: "Sweep", actions: ["lambda:InvokeFunction"], resources: [arn] }),
    );
    // no retries: the next sweep comes in minutes
    this.sweeper.lambda.configureAsyncInvoke({
      retryAttempts: 0,
      maxEventAge: Duration.minutes(4),
    });
    return new Schedule(this, "SweepSchedule", {
      description: `Mayfly: sweeps ${this.#props.database}`,
      schedule: ScheduleExpression.rate(Duration.minutes(5)),
      target: {
        // CDK's LambdaInvoke would also allow the role to invoke every version and alias
        bind: () => ({
          arn,
          role,
          input: ScheduleTargetInput.fromObject(SWEEP_REQUEST),
          retryPolicy: { maximumRetryAttempts: 1, maximumEventAgeInSeconds: 240 },
        }),
      },
    });
  }
}
