/** A metric as CloudWatch finds it: by namespace, name and exactly these dimensions. */
export interface NamedMetric {
  readonly namespace: string;
  readonly name: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
}

interface AlarmMetric {
  readonly Namespace: string;
  readonly MetricName: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: unknown }[];
}

const ofAlarm = ({ Namespace, MetricName, Dimensions = [] }: AlarmMetric): NamedMetric => ({
  namespace: Namespace,
  name: MetricName,
  dimensions: Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value])),
});

/** The metrics that an alarm's properties name, alone or in an expression. */
export function metricsOfAlarm(properties: Readonly<Record<string, unknown>>): NamedMetric[] {
  const { MetricName, Metrics = [] } = properties as {
    MetricName?: string;
    Metrics?: readonly { readonly MetricStat?: { readonly Metric: AlarmMetric } }[];
  };
  if (MetricName !== undefined) return [ofAlarm(properties as unknown as AlarmMetric)];
  return Metrics.flatMap(({ MetricStat }) => (MetricStat ? [ofAlarm(MetricStat.Metric)] : []));
}

/** One widget of a dashboard, loosely typed. */
export interface Widget {
  readonly type: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The widgets of a dashboard in a template; references read as `{name}`. */
export function widgetsOf(properties: Readonly<Record<string, unknown>>): readonly Widget[] {
  const { "Fn::Join": join } = properties.DashboardBody as { "Fn::Join": [string, unknown[]] };
  const parts = join[1].map((part) =>
    typeof part === "string" ? part : `{${JSON.stringify(part).replaceAll(/[^\w.:]/g, "")}}`,
  );
  return (JSON.parse(parts.join(join[0])) as { widgets: Widget[] }).widgets;
}

/** The metrics that a widget names: `[namespace, name, dimension, value, …, options]`. */
export function metricsOfWidget({ properties }: Widget): NamedMetric[] {
  const { metrics = [] } = properties as { metrics?: readonly (readonly unknown[])[] };
  return metrics.map((row) => {
    const [namespace, name, ...rest] = row.filter((each) => typeof each === "string");
    const pairs = rest.flatMap((key, index) => (index % 2 === 0 ? [[key, rest[index + 1]]] : []));
    return {
      namespace: String(namespace),
      name: String(name),
      dimensions: Object.fromEntries(pairs) as Record<string, unknown>,
    };
  });
}

/** The metrics in a log line of CloudWatch's embedded metric format; none in any other line. */
export function metricsInLine(line: string): NamedMetric[] {
  if (!line.startsWith('{"_aws"')) return [];
  const { _aws, ...values } = JSON.parse(line) as Record<string, unknown> & {
    _aws: {
      CloudWatchMetrics: {
        Namespace: string;
        Dimensions: string[][];
        Metrics: { Name: string }[];
      }[];
    };
  };
  return _aws.CloudWatchMetrics.flatMap(({ Namespace, Dimensions, Metrics }) =>
    Metrics.filter(({ Name }) => values[Name] !== undefined).flatMap(({ Name }) =>
      Dimensions.map((keys) => ({
        namespace: Namespace,
        name: Name,
        dimensions: Object.fromEntries(keys.map((key) => [key, values[key]])),
      })),
    ),
  );
}

/** One text for one metric, whatever the order of its dimensions. */
export const metricKey = ({ namespace, name, dimensions }: NamedMetric): string =>
  `${namespace}/${name} ${Object.entries(dimensions)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .sort()
    .join(" ")}`;
