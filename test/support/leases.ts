import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import pg from "pg";
import type { AuditEvent } from "../../core/audit.ts";
import { type ConsumerAnswer, serveConsumer } from "../../core/leases/consumer.ts";
import type { Credential } from "../../core/leases/credential.ts";
import type { Deployment } from "../../core/leases/deployment.ts";
import { grantOf } from "../../core/leases/grants.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import type {
  LeaseDeps,
  Metric,
  Pepper,
  Readers,
  ScheduledLease,
} from "../../core/leases/lease-ports.ts";
import type { OperateDeps } from "../../core/leases/operation/operate.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import type { IssueDeps } from "../../core/leases/requests/issue.ts";
import { parseRequest } from "../../core/leases/requests/lease-request.ts";
import { type RevokeOptions, revokeMany } from "../../core/leases/revocation/revoke.ts";
import { Secret } from "../../core/secret.ts";
import type { Instant } from "../../core/time.ts";
import { connect, type Login } from "../../lambda/postgres/connection/login.ts";
import { Maintenance, type Open } from "../../lambda/postgres/connection/maintenance.ts";
import { postgresEngine } from "../../lambda/postgres/leases/engine.ts";
import { postgresJanitor } from "../../lambda/postgres/leases/janitor.ts";
import { NO_READERS } from "../../lambda/postgres/leases/readers.ts";
import { type MemoryScheduler, memoryScheduler } from "./memory-scheduler.ts";
import {
  type ProvisionedOptions,
  provisioned,
  runAs,
  TEST_LIMITS,
  type TestDatabase,
} from "./provisioned.ts";

/** Grants as a stack would deploy them. */
const GRANTS = {
  "user-service--readonly": { consumer: "user-service", role: "readonly" },
  "user-service--readwrite": { consumer: "user-service", role: "readwrite" },
  "reporting--readonly": { consumer: "reporting", role: "readonly" },
} as const;
export type Alias = keyof typeof GRANTS;

const FUNCTION_ARN = "arn:aws:lambda:eu-west-1:123456789012:function:issuer";

/** One function instance: its own warm connection to a provisioned database. */
export interface Issuer {
  readonly deps: IssueDeps & OperateDeps;
  readonly maintenance: Maintenance;
  readonly scheduler: MemoryScheduler;
  readonly audit: AuditEvent[];
  readonly metrics: {
    readonly metric: Metric;
    readonly value: number;
    readonly secret?: string;
  }[];
  /** Statements sent on the warm connection so far. */
  roundTrips(): number;
  /** As the handler does for an invocation through `alias`. */
  ask(alias: Alias, event: unknown): Promise<ConsumerAnswer>;
  issue(alias?: Alias, event?: Record<string, unknown>): Promise<Credential>;
  close(): Promise<void>;
}

export interface IssuerOptions {
  readonly scheduler?: MemoryScheduler;
  readonly peppers?: Map<string, Pepper>;
  /** @default - the database has only its writer */
  readonly readers?: Readers;
  /** Instead of the AWSCURRENT issuer login. */
  readonly login?: (options: { readonly fresh: boolean }) => Promise<Login>;
  /** What the deployment calls the server. @default - its host and port */
  readonly serverId?: string;
  /** Instead of {@link connect}: to break connections on purpose. */
  readonly open?: Open;
}

const PEPPER: Pepper = { version: "11111111-1111-4111-8111-111111111111", value: new Secret("p") };

export const deploymentOf = ({ tag, plan }: TestDatabase): Deployment => ({
  database: "orders",
  tag,
  maintenanceDatabase: plan.maintenanceDatabase,
  shards: plan.shards,
  tls: "verify-full",
  grants: GRANTS,
});

/** A function instance over `database`. Several of them are several Lambda instances. */
export function issuerOn(database: TestDatabase, options: IssuerOptions = {}): Issuer {
  let sent = 0;
  const open = options.open ?? ((login) => connect(login, TEST_LIMITS));
  const maintenance = new Maintenance(
    options.login ?? (() => database.issuerLogin()),
    async (login) => {
      const client = await open(login);
      return {
        query: ((query: pg.QueryConfig) => {
          sent += 1;
          return client.query(query);
        }) as pg.Client["query"],
        end: () => client.end(),
      };
    },
  );
  const deployment = deploymentOf(database);
  const scheduler = options.scheduler ?? memoryScheduler();
  const audit: AuditEvent[] = [];
  const metrics: Issuer["metrics"] = [];
  const peppers = options.peppers ?? new Map([[PEPPER.version, PEPPER]]);
  const time = {
    now: () => Date.now() as Instant,
    wait: async (length: number) => {
      await setTimeout(length);
    },
  };
  const { host, port } = database.admin();
  const deps: IssueDeps & OperateDeps = {
    database: "orders",
    tag: database.tag,
    deployment,
    endpoint: { host, port, tls: "verify-full" },
    readers: options.readers ?? NO_READERS,
    janitor: postgresJanitor({
      login: () => database.janitor(),
      connect: TEST_LIMITS.connect,
      time,
      random: Math.random,
    }),
    engine: postgresEngine({
      maintenance,
      tag: database.tag,
      server: `${host}:${port}`,
      serverId: options.serverId ?? `${host}:${port}`,
      time,
      random: Math.random,
    }),
    scheduler,
    telemetry: {
      audit: (event) => audit.push(event),
      measure: (metric, value, secret) =>
        metrics.push({ metric, value, ...(secret !== undefined && { secret }) }),
    },
    time,
    peppers: {
      current: async () => [...peppers.values()].at(-1) ?? PEPPER,
      version: async (version) => peppers.get(version),
    },
    random: randomBytes,
    provisioner: { converge: () => Promise.reject(new Error("there is no provisioner here")) },
    examiners: [],
  };
  const ask: Issuer["ask"] = async (alias, event) => {
    const grant = grantOf(deployment, `${FUNCTION_ARN}:${alias}`);
    return serveConsumer(deps, grant, parseRequest(event));
  };
  return {
    deps,
    maintenance,
    scheduler,
    audit,
    metrics,
    roundTrips: () => sent,
    ask,
    issue: (alias = "user-service--readonly", event = {}) =>
      ask(alias, { action: "issue", ...event }) as Promise<Credential>,
    close: () => maintenance.close(),
  };
}

/** Revoke one life of a lease, as its schedule does, which knows the incarnation. */
export async function revokeLife(
  deps: LeaseDeps,
  { leaseId, incarnation }: ScheduledLease,
  options: RevokeOptions,
): Promise<Receipt> {
  const lease = { ...parseLeaseId(leaseId), incarnation };
  const [revocation] = await revokeMany(deps, [lease], options);
  if (revocation === undefined) throw new Error(`nothing was said of ${leaseId}`);
  if ("error" in revocation) throw revocation.error;
  return revocation.receipt;
}

/** A provisioned database and one instance on it. */
export async function issuer(
  options: ProvisionedOptions & IssuerOptions = {},
): Promise<Issuer & { readonly test: TestDatabase }> {
  const test = await provisioned(options);
  return { ...issuerOn(test, options), test };
}

/** Remove every lease of a stack, as no test of ours asks to: with what it owns, by the superuser. */
export async function dropLeases({ tag, superuser }: TestDatabase): Promise<void> {
  await runAs(
    superuser(),
    `do $$ declare lease name; begin
       for lease in select rolname from pg_roles where rolname ~ '^mf_${tag}_.*_[a-z0-9]{22}$' loop
         execute format('drop owned by %I', lease);
         execute format('drop role %I', lease);
       end loop; end $$`,
  );
}

/**
 * Instances on one database that all tests of a file share, each without a lease of the test before.
 * The test closes its instance.
 */
export function sharedIssuer(): () => Promise<Issuer & { readonly test: TestDatabase }> {
  let shared: Promise<TestDatabase> | undefined;
  return async () => {
    shared ??= provisioned();
    const test = await shared;
    await dropLeases(test);
    return { ...issuerOn(test), test };
  };
}

/** What a login needs of a credential. */
type LoginFields = Pick<Credential, "host" | "port" | "dbname" | "username" | "password">;

/** Log in with a credential as an application would, over TLS. The caller ends it. */
export async function logIn(test: TestDatabase, credential: LoginFields): Promise<pg.Client> {
  const { ssl } = test.admin();
  const client = new pg.Client({
    host: credential.host,
    port: credential.port,
    database: credential.dbname,
    user: credential.username,
    password: credential.password,
    ssl,
  });
  client.on("error", () => {}); // a revocation ends the session; the next query says so
  await client.connect();
  return client;
}

/** The SQLSTATE an attempt fails with, or `undefined` when it succeeds. */
export async function sqlStateFrom(attempt: Promise<unknown>): Promise<string | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}

/** The SQLSTATE of logging in with a credential: `28P01` or `28000` when it is refused. */
export const loginRefusal = (
  test: TestDatabase,
  credential: LoginFields,
): Promise<string | undefined> =>
  sqlStateFrom(logIn(test, credential).then((client) => client.end()));
