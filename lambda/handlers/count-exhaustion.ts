import { METRIC_NAMESPACE, metricDimensions } from "../../core/metric.ts";
import { onExhaustion } from "../postgres/connection/exhaustion.ts";

/**
 * Count each time that a server of the database had no room, as a line of its own and at once: with
 * the server in that state, the function may run out of time before it ends.
 *
 * @returns what ends that.
 */
export function countExhaustion(database: string): () => void {
  const dimensions = metricDimensions(database);
  return onExhaustion((metric) => {
    const line = {
      _aws: {
        Timestamp: Date.now(),
        CloudWatchMetrics: [
          {
            Namespace: METRIC_NAMESPACE,
            Dimensions: [Object.keys(dimensions)],
            Metrics: [{ Name: metric, Unit: "Count" }],
          },
        ],
      },
      ...dimensions,
      [metric]: 1,
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  });
}
