import type { Logger } from "@aws-lambda-powertools/logger";
import { Metrics, MetricUnit } from "@aws-lambda-powertools/metrics";
import type { Metric, Telemetry } from "../../core/leases/lease-ports.ts";

export interface LambdaTelemetry extends Telemetry {
  /**
   * Write the metrics of this invocation as one line of CloudWatch's embedded metric format.
   * Metrics without a known database are dropped: nobody would find them.
   */
  publish(): void;
}

/** Audit lines through the logger, metrics through its output (EMF), by service and database. */
export function lambdaTelemetry(logger: Logger, database?: string): LambdaTelemetry {
  const metrics = new Metrics();
  if (database !== undefined) metrics.setDefaultDimensions({ database });
  return {
    audit: ({ event, ...details }) => {
      if (event.endsWith(".failed")) logger.warn(event, details);
      else logger.info(event, details);
    },
    measure: (metric, value, secret) => {
      // a metric with more dimensions gets its own line, written at once
      const line = secret === undefined ? metrics : metrics.singleMetric();
      if (secret !== undefined) line.addDimension("secret", secret);
      line.addMetric(metric, unitOf(metric), value);
    },
    publish: () => {
      if (database === undefined) metrics.clearMetrics();
      else if (metrics.hasStoredMetrics()) metrics.publishStoredMetrics();
    },
  };
}

const unitOf = (metric: Metric) =>
  metric.endsWith("Seconds") ? MetricUnit.Seconds : MetricUnit.Count;
