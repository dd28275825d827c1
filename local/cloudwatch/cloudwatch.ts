import type { GetMetricStatisticsInput } from "@aws-sdk/client-cloudwatch";
import type { Clock } from "../clock.ts";
import { notImplemented, refuseMembers } from "../http/aws-error.ts";
import { operation, queryCompatibleService, type Service } from "../http/protocols.ts";
import type { Access } from "../iam/access.ts";
import type { Sqs } from "../sqs/sqs.ts";

/** The input as it travels: times are seconds since the epoch. */
type StatisticsInput = Omit<GetMetricStatisticsInput, "EndTime"> & { readonly EndTime: number };

interface CloudWatchOptions {
  readonly access: Access;
  readonly clock: Clock;
  readonly sqs: Sqs;
}

const AGE = "ApproximateAgeOfOldestMessage";

/** Amazon CloudWatch: how long messages have waited in queues. It keeps no history. */
export function makeCloudWatch({ access, clock, sqs }: CloudWatchOptions): Service {
  /** Seconds. Undefined if there is no such queue. */
  const ageIn = (name: string | undefined): number | undefined => {
    const queue = sqs.queues.find(({ arn }) => arn.split(":").at(-1) === name);
    if (queue === undefined) return undefined;
    const [oldest] = queue.messages;
    return oldest === undefined ? 0 : Math.floor((clock.now() - oldest.sentAt) / 1_000);
  };
  return queryCompatibleService("cloudwatch", {
    GetMetricStatistics: operation<StatisticsInput>(async (input, caller) => {
      const { Namespace, MetricName, Dimensions = [], Statistics = [], Period = 60 } = input;
      await access.authorize(caller, { action: "cloudwatch:GetMetricStatistics", resource: "*" });
      const [{ Name, Value } = {}, ...others] = Dimensions;
      if (
        Namespace !== "AWS/SQS" ||
        MetricName !== AGE ||
        Name !== "QueueName" ||
        others.length > 0
      )
        throw notImplemented("cloudwatch", `GetMetricStatistics of ${Namespace} ${MetricName}`);
      refuseMembers("cloudwatch", "GetMetricStatistics", input, ["ExtendedStatistics", "Unit"]);
      const age = ageIn(Value);
      const values = Statistics.map((each) => [each, each === "SampleCount" ? 1 : age]);
      const Timestamp = (Math.ceil(input.EndTime / Period) - 1) * Period;
      const point = { Timestamp, Unit: "Seconds", ...Object.fromEntries(values) };
      return { Label: MetricName, Datapoints: age === undefined ? [] : [point] };
    }),
  });
}
