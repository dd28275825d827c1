/** The CloudWatch namespace of the metrics, and the dimension that all of them have. */
export const METRIC_NAMESPACE = "Mayfly";
export const METRIC_SERVICE = "mayfly";

/** Metrics for CloudWatch. Units are in the names. */
export const METRICS = [
  "LeasesIssued",
  "LeasesReplayed",
  "LeasesRenewed",
  "LeasesRevoked",
  "LeasesQuarantined",
  "RequestsRefused",
  "RequestsFailed",
  "SchedulesFailed",
  "SchedulesRepaired",
  "StragglersEnded",
  "RevocationLagSeconds",
  "LiveLeases",
  "OverdueLeases",
  "QuarantinedLeases",
  "UnverifiedLeases",
  "ForeignRoles",
  "UnknownSessions",
  "UnknownMembers",
  "StrayObjects",
  "ServersRestored",
  "ServerOutOfMemory",
  "ServerOutOfConnections",
  "SecretAgeSeconds",
  "ProvisioningChanges",
  "ProvisioningFailed",
] as const;

export type Metric = (typeof METRICS)[number];

/** The dimensions of every metric of one database; CloudWatch needs exactly these to find it. */
export const metricDimensions = (database: string): Readonly<Record<string, string>> => ({
  service: METRIC_SERVICE,
  database,
});

/** The dimensions of `SecretAgeSeconds`: there is one for each rotated secret. */
export const secretDimensions = (
  database: string,
  secret: string,
): Readonly<Record<string, string>> => ({ ...metricDimensions(database), secret });
