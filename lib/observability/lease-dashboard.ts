import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IMetric,
  type IWidget,
  LogQueryVisualizationType,
  LogQueryWidget,
  SingleValueWidget,
  Stats,
  TextWidget,
} from "aws-cdk-lib/aws-cloudwatch";
import { Construct } from "constructs";
import type { Alarms } from "./alarms.ts";
import { LOG_QUERIES } from "./log-queries.ts";
import type { Watched } from "./watched.ts";

/** Leases of the time shown that have not ended, each with its latest audit line. */
const HOLDERS = `filter message in ["lease.issued", "lease.replayed", "lease.renewed", "lease.revoked", "lease.gone", "lease.quarantined", "lease.unverified"]
| parse leaseId /_(?<access>[a-z0-9-]+)_(?<holder>[a-z0-9-]+)_[a-z0-9]+$/
| fields strcontains(message, "lease.revoked") + strcontains(message, "lease.gone") as isOver
| stats latest(message) as lastLine, latest(expiresAt) as until, max(isOver) as ended by holder, access, leaseId
| filter ended = 0
| sort until asc`;

const WIDTH = 24;

/** A dashboard of one database: who holds which lease, and how fast leases end. $3 a month. */
export class LeaseDashboard extends Construct {
  readonly dashboard: Dashboard;
  readonly #watched: Watched;

  /** Created by `DynamicDatabase.addDashboard`. */
  constructor(scope: Construct, id: string, watched: Watched, alarms?: Alarms) {
    super(scope, id);
    this.#watched = watched;
    this.dashboard = new Dashboard(this, "Resource", {
      dashboardName: watched.nameOf("leases"),
      widgets: [
        ...(alarms === undefined ? [] : [[alarmStatus(alarms)]]),
        this.#now(),
        this.#promise(),
        this.#holders(),
        this.#work(),
      ],
    });
  }

  #now(): IWidget[] {
    const last = (name: Parameters<Watched["metric"]>[0], label: string): IMetric =>
      this.#watched.metric(name, Stats.MAXIMUM, label);
    return [
      new SingleValueWidget({
        title: `Leases of ${this.#watched.database}, at the last sweep`,
        width: WIDTH,
        height: 3,
        metrics: [
          last("LiveLeases", "live"),
          last("OverdueLeases", "due and not ended"),
          last("QuarantinedLeases", "in quarantine"),
          last("UnverifiedLeases", "unverified"),
          last("ForeignRoles", "foreign roles"),
          last("UnknownSessions", "unknown sessions"),
          last("StrayObjects", "stray objects"),
        ],
      }),
    ];
  }

  #promise(): IWidget[] {
    const lag = (statistic: string, label: string): IMetric =>
      this.#watched.metric("RevocationLagSeconds", statistic, label);
    return [
      new GraphWidget({
        title: "From expiry to the DROP",
        width: WIDTH / 2,
        left: [lag(Stats.p(50), "median"), lag(Stats.p(99), "p99"), lag(Stats.MAXIMUM, "slowest")],
        leftYAxis: { min: 0, label: "seconds", showUnits: false },
        leftAnnotations: [
          { value: 60, label: "promised, plus one call" },
          { value: 120, label: "alarm" },
        ],
      }),
      this.#graph(
        "What revocation could not do, or only later",
        [
          this.#watched.deadLetters,
          this.#watched.failedRevocations,
          this.#count("StragglersEnded"),
          this.#count("SchedulesFailed"),
          this.#count("SchedulesRepaired"),
        ],
        WIDTH / 2,
      ),
    ];
  }

  #holders(): IWidget[] {
    const table = (title: string, queryString: string, width: number): IWidget =>
      new LogQueryWidget({
        title,
        width,
        height: 8,
        view: LogQueryVisualizationType.TABLE,
        logGroupNames: this.#watched.logGroups.map(({ logGroupName }) => logGroupName),
        queryString,
      });
    const slow = "revocations slower than 60 s";
    return [
      table("Issued in the time shown, and not over", HOLDERS, 14),
      table(`Of the time shown: ${slow}`, LOG_QUERIES[slow], 10),
      new TextWidget({
        width: WIDTH,
        height: 2,
        markdown:
          "The tables read the log of the time shown: widen it to a lease's longest life. What is live **now** is in the database alone: ask the operator function to `list`.",
      }),
    ];
  }

  #work(): IWidget[] {
    return [
      new GraphWidget({
        title: "Live leases, at each sweep",
        width: WIDTH / 3,
        left: [this.#watched.metric("LiveLeases", Stats.MAXIMUM)],
        leftYAxis: { min: 0 },
        leftAnnotations: [{ value: this.#watched.ceiling(), label: "all roles' maxLeases" }],
      }),
      this.#graph("Changes", [
        this.#count("LeasesIssued"),
        this.#count("LeasesReplayed"),
        this.#count("LeasesRenewed"),
        this.#count("LeasesRevoked"),
        this.#count("LeasesQuarantined"),
        this.#count("ProvisioningChanges"),
      ]),
      this.#graph("What went wrong", [
        this.#count("RequestsRefused"),
        this.#count("RequestsFailed"),
        this.#count("ProvisioningFailed"),
        this.#count("ServerOutOfMemory"),
        this.#count("ServerOutOfConnections"),
        ...(["issuer", "revoker", "sweeper", "operator"] as const).map((name) =>
          this.#watched.errors(name),
        ),
        this.#watched.throttles("issuer"),
        this.#watched.throttles("revoker"),
      ]),
    ];
  }

  #count(name: Parameters<Watched["metric"]>[0]): IMetric {
    return this.#watched.metric(name, Stats.SUM);
  }

  #graph(title: string, left: IMetric[], width = WIDTH / 3): IWidget {
    return new GraphWidget({ title, width, left, leftYAxis: { min: 0 } });
  }
}

const alarmStatus = ({ all }: Alarms): IWidget =>
  new AlarmStatusWidget({ title: "Alarms", width: WIDTH, height: 3, alarms: [...all] });
