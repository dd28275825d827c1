import { METRIC_NAMESPACE, metricDimensions } from "../../core/metric.ts";
import { onExhaustion } from "../postgres/connection/exhaustion.ts";

/**
 * Count each time a server of the database had no free connection or lock. Each count is written at
 * once as its own line, because the function may time out while the server is in that state.
 *
 * @returns a function that stops counting.
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
