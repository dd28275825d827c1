import type { Duration } from "../../core/time.ts";
import type { AgentCounts, FileCounts, LoginCounts } from "./agent-counts.ts";
import type { FileOutlet } from "./files/file-outlet.ts";
import type { Metric, MetricValue } from "./metrics-text.ts";
import type { ServedLogin } from "./served-login.ts";

/** What metrics are made of. */
export interface Measured {
  readonly logins: readonly ServedLogin[];
  readonly files: readonly FileOutlet[];
  /** What listens, or should. */
  readonly ports: ReadonlyMap<string, { readonly opened: unknown }>;
  readonly counts: AgentCounts;
}

const inSeconds = (length: Duration): number => Math.round(length / 100) / 10;

/** The metrics of an agent. docs/agent.md has them in a table. */
export function agentMetrics({ logins, files, ports, counts }: Measured): readonly Metric[] {
  const ofLogins = (value: (login: ServedLogin) => number | undefined): readonly MetricValue[] =>
    logins.flatMap((login) => {
      const known = value(login);
      return known === undefined ? [] : [{ labels: { login: login.name }, value: known }];
    });
  const countOfLogins = (value: (count: LoginCounts) => number): readonly MetricValue[] =>
    [...counts.logins].map(([login, count]) => ({ labels: { login }, value: value(count) }));
  const countOfFiles = (value: (count: FileCounts) => number): readonly MetricValue[] =>
    [...counts.files].map(([path, count]) => ({ labels: { path }, value: value(count) }));
  return [
    {
      name: "mayfly_login_available",
      type: "gauge",
      help: "Whether there is a login that is valid: 1 or 0.",
      values: ofLogins(({ publication }) => (publication.newest === undefined ? 0 : 1)),
    },
    {
      name: "mayfly_lease_left_seconds",
      type: "gauge",
      help: "What is left of the newest lease unless it is renewed.",
      values: ofLogins(({ left }) => left && inSeconds(left)),
    },
    {
      name: "mayfly_source_away_seconds",
      type: "gauge",
      help: "For how long issuer or Secrets Manager has not answered. 0: it answers.",
      values: ofLogins(({ source }) => inSeconds(source.away)),
    },
    {
      name: "mayfly_source_failures_total",
      type: "counter",
      help: "Calls of issuer or Secrets Manager that failed, by kind.",
      values: [...counts.logins].flatMap(([login, { failures }]) =>
        Object.entries(failures).map(([failure, value]) => ({ labels: { login, failure }, value })),
      ),
    },
    {
      name: "mayfly_logins_renewed_total",
      type: "counter",
      help: "Renewals of the newest lease.",
      values: countOfLogins(({ renewed }) => renewed),
    },
    {
      name: "mayfly_logins_replaced_total",
      type: "counter",
      help: "Logins that had a next one in time.",
      values: countOfLogins(({ replaced }) => replaced),
    },
    {
      name: "mayfly_logins_lost_total",
      type: "counter",
      help: "Logins that were over before their time: revoked, or not renewed.",
      values: countOfLogins(({ lost }) => lost),
    },
    {
      name: "mayfly_server_logins_failed_total",
      type: "counter",
      help: "Times that the server did not let a login in.",
      values: countOfLogins(({ loginsFailed }) => loginsFailed),
    },
    {
      name: "mayfly_proxy_sessions",
      type: "gauge",
      help: "Open sessions of the proxy.",
      values: ofLogins(({ proxy }) => proxy && (proxy.opened?.sessions ?? 0)),
    },
    {
      name: "mayfly_port_open",
      type: "gauge",
      help: "Whether a proxy or a port listens: 1 or 0.",
      values: [...ports].map(([port, { opened }]) => ({
        labels: { port },
        value: opened === undefined ? 0 : 1,
      })),
    },
    {
      name: "mayfly_port_failures_total",
      type: "counter",
      help: "Times that a proxy or a port could not be opened.",
      values: [...counts.portFailures].map(([port, value]) => ({ labels: { port }, value })),
    },
    {
      name: "mayfly_file_current",
      type: "gauge",
      help: "Whether a file has the newest logins in it: 1 or 0.",
      values: files.map(({ path, isCurrent }) => ({ labels: { path }, value: isCurrent ? 1 : 0 })),
    },
    {
      name: "mayfly_file_failures_total",
      type: "counter",
      help: "Times that a file could not be written.",
      values: countOfFiles(({ failed }) => failed),
    },
    {
      name: "mayfly_on_change_failures_total",
      type: "counter",
      help: "Commands and signals after a change that failed.",
      values: countOfFiles(({ onChangeFailed }) => onChangeFailed),
    },
    {
      name: "mayfly_secret_reads_total",
      type: "counter",
      help: "Secrets that were read on Secrets Manager's port.",
      values: [...counts.secretReads].map(([name, value]) => ({ labels: { name }, value })),
    },
    {
      name: "mayfly_secret_refusals_total",
      type: "counter",
      help: "Requests on Secrets Manager's port that were refused, by HTTP status.",
      values: [...counts.secretRefusals].map(([status, value]) => ({
        labels: { status: String(status) },
        value,
      })),
    },
  ];
}
