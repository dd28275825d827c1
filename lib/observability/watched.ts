import { Duration, Lazy } from "aws-cdk-lib";
import { type IMetric, MathExpression, Metric, Stats } from "aws-cdk-lib/aws-cloudwatch";
import type { Function as LambdaFunction } from "aws-cdk-lib/aws-lambda";
import type { ILogGroup } from "aws-cdk-lib/aws-logs";
import type { Queue } from "aws-cdk-lib/aws-sqs";
import {
  METRIC_NAMESPACE,
  type Metric as MetricName,
  metricDimensions,
  secretDimensions,
} from "../../core/metric.ts";
import type { LeaseFunctions } from "../functions/lease-functions.ts";
import type { MayflyFunction } from "../functions/mayfly-function.ts";
import type { RevocationSchedules } from "../functions/revocation-schedules.ts";

/** The parts of one database that alarms, dashboards and queries need. */
export interface WatchedProps {
  /** Name of the database in lease ids and metrics. */
  readonly database: string;
  readonly functions: LeaseFunctions;
  /** It also revokes leases: those of roles and consumers that left the configuration. */
  readonly provisioner: MayflyFunction;
  readonly schedules: RevocationSchedules;
  /** Returns the sum of all roles' `maxLeases`. Called when the app is synthesized. */
  readonly ceiling: () => number;
  /** Returns a physical name that belongs to the database, at most 64 characters. */
  readonly nameOf: (name: string) => string;
}

/** A rotated secret and its function. */
export interface RotatedOne {
  /** Its name in the configuration. */
  readonly name: string;
  readonly rotator: LambdaFunction;
  /** The longest time between two rotations. Unit: seconds. */
  readonly periodSeconds: number;
}

/** A sweep runs every five minutes: shorter periods would have gaps. */
export const PERIOD = Duration.minutes(5);

/** The metrics and log groups of one database. */
export class Watched {
  readonly database: string;
  readonly nameOf: (name: string) => string;
  readonly logGroups: readonly ILogGroup[];
  readonly deadLetters: IMetric;
  readonly failedRevocations: IMetric;
  /** How long the oldest message has waited for the revoker. Unit: seconds. */
  readonly oldestRevocation: IMetric;
  /** Audit events that could not be sent. Undefined if the database sends none. */
  unsentEvents?: IMetric;
  readonly #functions: LeaseFunctions;
  readonly #ceiling: () => number;
  readonly #rotated: RotatedOne[] = [];
  readonly #onRotated: ((one: RotatedOne) => void)[] = [];

  constructor(props: WatchedProps) {
    const { issuer, revoker, sweeper, operator, revocations } = props.functions;
    this.database = props.database;
    this.nameOf = props.nameOf;
    this.logGroups = [issuer, revoker, sweeper, operator, props.provisioner].map(
      ({ lambda }) => lambda.logGroup,
    );
    this.deadLetters = waitingIn(props.schedules.deadLetters, "dead letters");
    this.failedRevocations = waitingIn(revocations.failed, "failed revocations");
    this.oldestRevocation = revocations.queue.metricApproximateAgeOfOldestMessage({
      statistic: Stats.MAXIMUM,
      period: PERIOD,
      label: "oldest revocation that waits",
    });
    this.#functions = props.functions;
    this.#ceiling = props.ceiling;
  }

  /** Add a rotated secret. */
  addRotated(one: RotatedOne): void {
    this.#rotated.push(one);
    for (const each of this.#onRotated) each(one);
  }

  /** Call a function for every rotated secret, including those that are added later. */
  eachRotated(act: (one: RotatedOne) => void): void {
    this.#rotated.forEach(act);
    this.#onRotated.push(act);
  }

  /** A fraction of the sum of `maxLeases`, rounded up. A token until the app is synthesized. */
  ceiling(part = 1): number {
    return Lazy.number({ produce: () => Math.ceil(part * this.#ceiling()) });
  }

  /** A metric that the functions write. Its dimensions must equal those that they write. */
  metric(metricName: MetricName, statistic: string, label?: string): Metric {
    return new Metric({
      namespace: METRIC_NAMESPACE,
      metricName,
      dimensionsMap: { ...metricDimensions(this.database) },
      statistic,
      period: PERIOD,
      ...(label !== undefined && { label }),
    });
  }

  /** Time since a secret was rotated, measured at the last sweep. Unit: seconds. */
  secretAge(secret: string): Metric {
    return this.metric("SecretAgeSeconds", Stats.MAXIMUM).with({
      dimensionsMap: { ...secretDimensions(this.database, secret) },
    });
  }

  /** Invocations that ended in an error. For the issuer these include refusals. */
  errors(name: "issuer" | "revoker" | "sweeper" | "operator"): Metric {
    return this.#functions[name].lambda.metricErrors({ period: PERIOD, label: `${name} errors` });
  }

  throttles(name: "issuer" | "revoker"): Metric {
    const label = `${name} throttled`;
    return this.#functions[name].lambda.metricThrottles({ period: PERIOD, label });
  }

  /** The percentage of the issuer's invocations that ended in an error. */
  get issuerErrorRate(): MathExpression {
    const { lambda } = this.#functions.issuer;
    return new MathExpression({
      expression: "IF(calls > 0, 100 * errors / calls, 0)",
      usingMetrics: {
        calls: lambda.metricInvocations({ period: PERIOD }),
        errors: lambda.metricErrors({ period: PERIOD }),
      },
      label: "issuer errors, % of calls",
      period: PERIOD,
    });
  }
}

/** Number of messages in a queue. */
export const waitingIn = (queue: Queue, label: string): IMetric =>
  queue.metricApproximateNumberOfMessagesVisible({
    statistic: Stats.MAXIMUM,
    period: PERIOD,
    label,
  });

/** The sum of two metrics. Missing data counts as 0. */
export const sumOf = (label: string, first: IMetric, second: IMetric): MathExpression =>
  new MathExpression({
    expression: "FILL(first, 0) + FILL(second, 0)",
    usingMetrics: { first, second },
    label,
    period: PERIOD,
  });
