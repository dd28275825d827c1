import { ArnFormat, Duration, Stack } from "aws-cdk-lib";
import { PolicyStatement } from "aws-cdk-lib/aws-iam";
import { Schedule, ScheduleExpression } from "aws-cdk-lib/aws-scheduler";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import { Construct } from "constructs";
import { CONCURRENCY } from "../core/concurrency.ts";
import type { Deployment } from "../core/leases/deployment.ts";
import { bundleFolder, FunctionCode } from "./function-code.ts";
import type { FunctionNetwork } from "./function-network.ts";
import { allowRead, type LeaseSecrets } from "./lease-secrets.ts";
import { MayflyFunction } from "./mayfly-function.ts";
import type { ReaderAccess } from "./reader-access.ts";
import {
  makeFailureQueue,
  makeSchedulerRole,
  type RevocationSchedules,
} from "./revocation-schedules.ts";

type Name = keyof typeof CONCURRENCY;

/** MiB and seconds; the issuer has more of the processor, since callers wait for it. */
const SIZES: Readonly<Record<Name, { readonly memory: number; readonly timeout: number }>> = {
  issuer: { memory: 1024, timeout: 30 },
  revoker: { memory: 512, timeout: 60 },
  sweeper: { memory: 512, timeout: 240 },
  // it waits for the provisioner, which may have much to do
  operator: { memory: 512, timeout: 300 },
};

/** Properties of LeaseFunctions. */
export interface LeaseFunctionsProps {
  readonly database: string;
  /** Folder of the bundles. */
  readonly assets: string;
  readonly network: FunctionNetwork;
  /** `DB_HOST`, `DB_PORT`, `SERVER_ID`, and where readers are. */
  readonly address: Readonly<Record<string, string>>;
  readonly readers: ReaderAccess;
  readonly secrets: LeaseSecrets;
  readonly schedules: RevocationSchedules;
  readonly reserveConcurrency: boolean;
  /** The physical name of a function. */
  readonly nameOf: (name: string) => string;
}

/** Issuer, revoker, sweeper and operator of one database, each with exactly what it needs. */
export class LeaseFunctions extends Construct {
  readonly issuer: MayflyFunction;
  readonly revoker: MayflyFunction;
  readonly sweeper: MayflyFunction;
  readonly operator: MayflyFunction;
  /** What the revoker could not do. */
  readonly failedRevocations: Queue;
  /** Fires at once when it is made: the database must be ready by then. */
  readonly sweepSchedule: Schedule;
  readonly #props: LeaseFunctionsProps;
  readonly #codes: [MayflyFunction, FunctionCode][] = [];

  constructor(scope: Construct, id: string, props: LeaseFunctionsProps) {
    super(scope, id);
    this.#props = props;
    const { secrets, schedules, database } = props;
    this.issuer = this.#make("issuer", `issues leases of ${database}`, {
      PEPPER_SECRET_ARN: secrets.pepper.secretArn,
    });
    this.revoker = this.#make("revoker", `revokes leases of ${database} when they are due`);
    this.sweeper = this.#make("sweeper", `finds what other functions of ${database} missed`);
    const provisioner = this.#arnOf("provisioner");
    this.operator = this.#make("operator", `lists and revokes leases of ${database} for people`, {
      PROVISIONER_ARN: provisioner,
    });
    this.operator.allow("Converge", ["lambda:InvokeFunction"], [provisioner]);
    allowRead(this.issuer, [secrets.issuer, secrets.pepper]);
    for (const each of [this.revoker, this.sweeper, this.operator])
      allowRead(each, [secrets.issuer]);
    for (const each of [this.issuer, this.revoker, this.sweeper, this.operator]) {
      schedules.allowCreate(each);
      props.readers.allowList(each);
    }
    for (const each of [this.sweeper, this.operator]) schedules.allowCompare(each);
    schedules.invoke(this.revoker);
    this.failedRevocations = this.#keepFailedRevocations();
    this.sweepSchedule = this.#sweepEveryFiveMinutes();
  }

  /** Give each function its `deployment.json`. The sweeper alone looks after rotated secrets. */
  complete({ rotatedSecrets, ...leases }: Deployment): void {
    for (const [scope, code] of this.#codes) {
      const secrets = scope === this.sweeper && { rotatedSecrets };
      code.complete(scope, { "deployment.json": { ...leases, ...secrets } });
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
          SCHEDULE_GROUP: schedules.groupName,
          SCHEDULER_ROLE_ARN: schedules.role.roleArn,
          // the revoker reschedules itself, and no function may refer to its own ARN
          REVOKER_ARN: this.#arnOf("revoker"),
          SCHEDULE_DLQ_ARN: schedules.deadLetters.queueArn,
          ...environment,
        },
      },
    );
    this.#codes.push([made, code]);
    return made;
  }

  /** By name: of a function that is made later, or that refers to itself. */
  #arnOf(name: string): string {
    return Stack.of(this).formatArn({
      service: "lambda",
      resource: "function",
      resourceName: this.#props.nameOf(name),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }

  #keepFailedRevocations(): Queue {
    const queue = makeFailureQueue(this, "FailedRevocations");
    this.revoker.allow("KeepFailures", ["sqs:SendMessage"], [queue.queueArn]);
    this.revoker.lambda.configureAsyncInvoke({
      retryAttempts: 2,
      // CDK's own destination would add two actions on the queue that nothing uses
      onFailure: { bind: () => ({ destination: queue.queueArn }) },
    });
    return queue;
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
    // a sweep that waits for another is a sweep too many: the next one is minutes away
    this.sweeper.lambda.configureAsyncInvoke({
      retryAttempts: 0,
      maxEventAge: Duration.minutes(4),
    });
    return new Schedule(this, "SweepSchedule", {
      description: `Mayfly: sweeps ${this.#props.database}`,
      schedule: ScheduleExpression.rate(Duration.minutes(5)),
      target: {
        // CDK's own target would let the role invoke every version and alias as well
        bind: () => ({
          arn,
          role,
          retryPolicy: { maximumRetryAttempts: 1, maximumEventAgeInSeconds: 240 },
        }),
      },
    });
  }
}
