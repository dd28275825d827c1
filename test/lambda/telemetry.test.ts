import { Logger } from "@aws-lambda-powertools/logger";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  METRIC_NAMESPACE,
  METRIC_SERVICE,
  metricDimensions,
  secretDimensions,
} from "../../core/metric.ts";
import { lambdaTelemetry } from "../../lambda/handlers/telemetry.ts";
import { metricsInLine } from "../support/named-metrics.ts";

beforeEach(() => {
  vi.stubEnv("POWERTOOLS_METRICS_NAMESPACE", METRIC_NAMESPACE);
  vi.stubEnv("POWERTOOLS_SERVICE_NAME", METRIC_SERVICE);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** What a function writes for CloudWatch. */
function written(work: (telemetry: ReturnType<typeof lambdaTelemetry>) => void): string[] {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    lines.push(String(text));
    return true;
  });
  const log = vi.spyOn(console, "log").mockImplementation((text) => lines.push(String(text)));
  try {
    work(lambdaTelemetry(new Logger(), "orders"));
  } finally {
    write.mockRestore();
    log.mockRestore();
  }
  return lines;
}

test("a secret's metric has the secret's name, and the database's metrics are unchanged", () => {
  const lines = written((telemetry) => {
    telemetry.measure("LiveLeases", 3);
    telemetry.measure("SecretAgeSeconds", 60, "reports");
    telemetry.measure("SecretAgeSeconds", 90, "writer");
    telemetry.measure("ForeignRoles", 0);
    telemetry.publish();
  });
  const age = (secret: string) => ({
    namespace: METRIC_NAMESPACE,
    name: "SecretAgeSeconds",
    dimensions: secretDimensions("orders", secret),
  });
  const count = (name: string) => ({
    namespace: METRIC_NAMESPACE,
    name,
    dimensions: metricDimensions("orders"),
  });
  expect(lines.flatMap(metricsInLine)).toEqual([
    age("reports"),
    age("writer"),
    count("LiveLeases"),
    count("ForeignRoles"),
  ]);
  expect(lines.map((line) => JSON.parse(line).SecretAgeSeconds)).toEqual([60, 90, undefined]);
  expect(lines[0]).toContain('"Unit":"Seconds"');
});

test("an audit line of a failure is a warning, so that a filter on the level finds it", () => {
  const logger = new Logger();
  const info = vi.spyOn(logger, "info").mockReturnValue();
  const warn = vi.spyOn(logger, "warn").mockReturnValue();
  const telemetry = lambdaTelemetry(logger, "orders");
  for (const event of ["lease.issued", "lease.failed", "schedule.failed"] as const)
    telemetry.audit({ event });
  expect(info.mock.calls.map(([event]) => event)).toEqual(["lease.issued"]);
  expect(warn.mock.calls.map(([event]) => event)).toEqual(["lease.failed", "schedule.failed"]);
});
