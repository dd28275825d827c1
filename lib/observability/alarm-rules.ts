import { type IMetric, MathExpression, Stats } from "aws-cdk-lib/aws-cloudwatch";
import { PERIOD, type RotatedOne, sumOf, type Watched } from "./watched.ts";

/** One alarm. */
export interface AlarmRule {
  /** Name of the alarm and of its page in `docs/runbooks`. */
  readonly name: string;
  /**
   * Distinguishes alarms that share a page, e.g. the name of a secret.
   * @default - the only alarm with this page
   */
  readonly of?: string;
  /** What happened, as a sentence without a full stop. */
  readonly says: string;
  readonly metric: IMetric;
  /** The alarm is on while the metric is greater than this value. */
  readonly above: number;
  /**
   * Number of consecutive periods, of five minutes each, before the alarm is on.
   * @default 1
   */
  readonly periods?: number;
  /**
   * The state while the metric has no data.
   * @default "fine"
   */
  readonly silence?: "fine" | "alarming";
}

/** Seconds. Scheduler invokes within 60 s; the other 60 s are for the revocation. */
const LATE = 120;
/** Seconds. A message that failed once is visible again after six minutes. */
const WAITING = 600;
/** Fraction of the sum of all roles' `maxLeases`. */
const NEARLY_FULL = 0.8;
/**
 * Multiple of the longest time between two rotations. Beyond it, a rotation and its retries failed.
 */
const OVERDUE = 1.5;

/** All alarms of a database. */
export const alarmRules = (watched: Watched): readonly AlarmRule[] => [
  ...revocation(watched),
  ...functions(watched),
  ...unexpected(watched),
  ...audit(watched),
];

/** The alarms of one rotated secret. */
export const rotationRules = (
  watched: Watched,
  { name, rotator, periodSeconds }: RotatedOne,
): readonly AlarmRule[] => [
  {
    name: "rotation-errors",
    of: name,
    says: `the rotation of the secret ${name} ended in an error`,
    metric: rotator.metricErrors({ period: PERIOD, label: `errors in rotating ${name}` }),
    above: 0,
  },
  {
    name: "secret-age",
    of: name,
    says: `the secret ${name} was not rotated for ${OVERDUE} times as long as it should be`,
    metric: watched.secretAge(name),
    above: OVERDUE * periodSeconds,
    periods: 2,
  },
];

const revocation = (watched: Watched): readonly AlarmRule[] => [
  {
    name: "revocation-lag",
    says: `a lease was dropped more than ${LATE} seconds after its expiry`,
    metric: watched.metric("RevocationLagSeconds", Stats.MAXIMUM),
    above: LATE,
  },
  {
    name: "overdue-leases",
    says: "sweeps leave due leases behind, which may still have sessions",
    metric: watched.metric("OverdueLeases", Stats.MAXIMUM),
    above: 0,
    // if a busy server keeps one sweep from revoking a lease, the next sweep revokes it
    periods: 2,
  },
  {
    name: "quarantine",
    says: "a lease cannot be dropped; it cannot log in, and somebody must clear it",
    metric: watched.metric("QuarantinedLeases", Stats.MAXIMUM),
    above: 0,
    periods: 3,
  },
  {
    name: "unverified",
    says: "a reader cannot be looked at, and leases are kept that may have sessions there",
    metric: watched.metric("UnverifiedLeases", Stats.MAXIMUM),
    above: 0,
    periods: 3,
  },
  {
    name: "stragglers",
    says: "sessions were found, and ended, after their role was dropped",
    metric: watched.metric("StragglersEnded", Stats.SUM),
    above: 0,
  },
  {
    name: "dead-letters",
    says: "Scheduler could not send a revocation to the queue",
    metric: watched.deadLetters,
    above: 0,
  },
  {
    name: "failed-revocations",
    says: "a scheduled revocation failed five times",
    metric: watched.failedRevocations,
    above: 0,
  },
  {
    name: "revocations-waiting",
    says: `a revocation has waited for more than ${WAITING / 60} minutes`,
    metric: watched.oldestRevocation,
    above: WAITING,
  },
  {
    name: "schedules-failed",
    says: "leases were made or renewed whose revocation could not be scheduled",
    metric: watched.metric("SchedulesFailed", Stats.SUM),
    above: 0,
  },
];

const functions = (watched: Watched): readonly AlarmRule[] => [
  {
    name: "sweeper-silent",
    says: "no sweep has finished for 15 minutes",
    metric: new MathExpression({
      // CloudWatch waits longer than the periods for a missing metric
      expression: "FILL(sweeps, 0) < 1",
      usingMetrics: { sweeps: watched.metric("LiveLeases", Stats.SAMPLE_COUNT) },
      label: "periods without a sweep",
      period: PERIOD,
    }),
    above: 0,
    periods: 3,
    silence: "alarming",
  },
  {
    name: "function-errors",
    says: "the revoker or the sweeper ended in an error",
    metric: sumOf("errors", watched.errors("revoker"), watched.errors("sweeper")),
    above: 0,
  },
  {
    name: "provisioning-failed",
    says: "a deployment, a converge or a removal of the database failed",
    metric: watched.metric("ProvisioningFailed", Stats.SUM),
    above: 0,
  },
  {
    name: "issuer-errors",
    says: "more than half of what consumers ask ends in an error",
    metric: watched.issuerErrorRate,
    above: 50,
    periods: 3,
  },
  {
    name: "requests-failed",
    says: "requests keep failing for reasons that are not the caller's",
    metric: watched.metric("RequestsFailed", Stats.SUM),
    above: 0,
    periods: 3,
  },
  {
    name: "server-out-of-memory",
    says: "the server had no memory for a lock or a statement (53200)",
    metric: watched.metric("ServerOutOfMemory", Stats.SUM),
    above: 0,
  },
  {
    name: "server-out-of-connections",
    says: "the server, or Mayfly's own login, had no connection left (53300)",
    metric: watched.metric("ServerOutOfConnections", Stats.SUM),
    above: 0,
  },
  {
    name: "throttles",
    says: "calls of the issuer or the revoker are throttled",
    metric: sumOf("throttled", watched.throttles("issuer"), watched.throttles("revoker")),
    above: 0,
    periods: 3,
  },
];

const unexpected = (watched: Watched): readonly AlarmRule[] => [
  {
    name: "leases-near-limit",
    says: `more than ${100 * NEARLY_FULL} % of all roles' maxLeases are live`,
    metric: watched.metric("LiveLeases", Stats.MAXIMUM),
    above: watched.ceiling(NEARLY_FULL),
  },
  {
    name: "foreign-roles",
    says: "a role is named like a lease, but is not a lease",
    metric: watched.metric("ForeignRoles", Stats.MAXIMUM),
    above: 0,
  },
  {
    name: "unknown-sessions",
    says: "sessions are open whose role is gone and was not known as a lease",
    metric: watched.metric("UnknownSessions", Stats.MAXIMUM),
    above: 0,
    // a login just before the DROP counts here until the recheck ends it, about a minute later
    periods: 2,
  },
  {
    name: "unknown-members",
    says: "a role that Mayfly did not make is a member of a dynamic role's group",
    metric: watched.metric("UnknownMembers", Stats.MAXIMUM),
    above: 0,
  },
  {
    name: "stray-objects",
    says: "a group, or another role of Mayfly's, owns an object that a lease made: it outlives the lease",
    metric: watched.metric("StrayObjects", Stats.MAXIMUM),
    above: 0,
  },
  {
    name: "restored-server",
    says: "the leases were made on another server than the one that answered: all of them were revoked",
    metric: watched.metric("ServersRestored", Stats.SUM),
    above: 0,
  },
];

const audit = ({ unsentEvents }: Watched): readonly AlarmRule[] =>
  unsentEvents === undefined
    ? []
    : [
        {
          name: "unsent-events",
          says: "audit lines could not be sent to the event bus",
          metric: unsentEvents,
          above: 0,
        },
      ];
