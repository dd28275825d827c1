import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type pg from "pg";
import type { AuditEvent } from "../../core/audit.ts";
import { base32 } from "../../core/base32.ts";
import type { ScheduleGroup } from "../../core/leases/lease-ports.ts";
import { groupRoleName, MAINTENANCE_DATABASE } from "../../core/names.ts";
import type { PlannedRole, ProvisionPlan } from "../../core/provisioning/plan.ts";
import type { Privileges } from "../../core/provisioning/privilege-kinds.ts";
import type { Changes, ConvergeReport } from "../../core/provisioning/report.ts";
import type { Stack } from "../../core/provisioning/stack.ts";
import { Secret } from "../../core/secret.ts";
import { type Instant, seconds } from "../../core/time.ts";
import { connect, type Limits, type Login } from "../../lambda/postgres/connection/login.ts";
import { withSession } from "../../lambda/postgres/connection/session.ts";
import { CREATED_MEANWHILE } from "../../lambda/postgres/connection/sqlstates.ts";
import { tlsOptions } from "../../lambda/postgres/connection/tls.ts";
import { NO_READERS } from "../../lambda/postgres/leases/readers.ts";
import { makeConverge } from "../../lambda/postgres/provisioning/converge/converge.ts";
import { seedDatabase } from "../../lambda/postgres/provisioning/converge/seed.ts";
import type { ProvisionDeps } from "../../lambda/postgres/provisioning/dependencies.ts";
import { makeProvision } from "../../lambda/postgres/provisioning/provision.ts";
import { makeRemove } from "../../lambda/postgres/provisioning/remove/remove.ts";
import { SUPERUSER } from "../../local/postgres/postgres-folder.ts";
import type { TestCluster } from "./cluster.ts";
import { fileCluster } from "./file-cluster.ts";
import { withKept } from "./kept-connections.ts";
import { type MemorySecrets, memorySecrets } from "./memory-secrets.ts";

/** What a test wants provisioned. */
export interface ProvisionedOptions {
  /** @default 2 */
  readonly shards?: number;
  /** Dynamic role to privileges. @default - `readonly` and `readwrite` on `public.*` */
  readonly roles?: Readonly<Record<string, Privileges>>;
  /** Of every dynamic role. */
  readonly limits?: Partial<Omit<PlannedRole, "groupRole" | "privileges">>;
  /** @default 20 */
  readonly loginConnectionLimit?: number;
  /** @default "mayfly" */
  readonly maintenanceDatabase?: string;
  /** @default - the server that all tests of a file share */
  readonly cluster?: TestCluster;
  /** @default - the database has only its writer */
  readonly readers?: ProvisionDeps["readers"];
  /** SQL that the superuser runs in the application database before provisioning. */
  readonly before?: (names: { readonly owner: string; readonly database: string }) => string;
}

/** A cluster's worth of names of a test's own, on the server that all tests of a file share. */
export interface TestDatabase {
  readonly tag: string;
  /** The application database, owned by the master, with a seeded `public.orders`. */
  readonly database: string;
  /** Who owns that table. */
  readonly owner: string;
  readonly plan: ProvisionPlan;
  readonly stack: Stack;
  /** What the real code runs with here. */
  readonly deps: ProvisionDeps;
  readonly secrets: MemorySecrets;
  /** Log lines of every provisioning. */
  readonly lines: string[];
  /** Run the real provisioning code; `elsewhere` is a server of another port, or of another name. */
  readonly provision: (
    plan?: ProvisionPlan,
    stack?: Stack,
    elsewhere?: { readonly port?: number; readonly serverId?: string },
  ) => Promise<Changes>;
  /** Run the real code that an operator's `converge` runs. */
  readonly converge: (plan?: ProvisionPlan, stackId?: string) => Promise<ConvergeReport>;
  /** Run the real code that takes it all away. */
  readonly remove: (plan?: ProvisionPlan, stack?: Stack) => Promise<void>;
  /** What provisioning warned of. */
  readonly warnings: string[];
  /** How often the schedule group was deleted. */
  readonly groupRemovals: () => number;
  /** Audit lines of leases that provisioning revoked. */
  readonly audit: AuditEvent[];
  /** The master, who is no superuser. @default - the application database */
  readonly admin: (database?: string) => Login;
  readonly superuser: (database?: string) => Login;
  /** A login that the test knows: a lease, say. @default - the application database */
  readonly as: (username: string, password: string | Secret, database?: string) => Login;
  /** One of the issuer logins, in the maintenance database, with the password in its secret. */
  readonly issuerLogin: (which?: "a" | "b") => Promise<Login>;
  /** The janitor, in the application database. */
  readonly janitor: () => Promise<Login>;
}

/** Names of the three secrets in {@link TestDatabase.secrets}. */
export const SECRETS = { admin: "admin", issuer: "issuer", janitor: "janitor" } as const;

/** Names of rotated secrets that a plan may have, to their names there. */
export const ROTATED = { reports: "arn:reports", writer: "arn:writer" } as const;

/** Waits are for servers that never come, and for sessions, which take milliseconds. */
const shortly = async (length: number): Promise<void> => {
  await setTimeout(Math.min(length, 50));
};

/** Bounds for connections of tests. */
export const TEST_LIMITS: Limits = {
  connect: seconds(10),
  statement: seconds(20),
  lock: seconds(10),
};

/** What a plan of a test allows each dynamic role, unless the test says otherwise. */
export const LIMITS = {
  ttlSeconds: 3_600,
  maxTtlSeconds: 86_400,
  maxLeases: 1_000,
  maxLeasesPerConsumer: 1_000,
  connectionLimit: 20,
} as const satisfies Omit<PlannedRole, "groupRole" | "privileges">;

const ROLES: Readonly<Record<string, Privileges>> = {
  readonly: { select: ["public.*"] },
  readwrite: {
    select: ["public.*"],
    insert: ["public.*"],
    update: ["public.*"],
    usage: ["public.*"],
  },
};

/** {@link unprovisioned}, and provisioned. */
export async function provisioned(options: ProvisionedOptions = {}): Promise<TestDatabase> {
  const test = await unprovisioned(options);
  await test.provision();
  return test;
}

/** Tags have 20 bits, and one server has hundreds of them: whoever makes the database has the tag. */
async function freeTag(superuser: Login, owner: string): Promise<string> {
  for (;;) {
    const tag = base32(randomBytes(3), 4);
    const made = runAs(superuser, `create database app_${tag} owner ${owner}`);
    const isTaken = await made.then(
      () => false,
      (error: unknown) => {
        if (CREATED_MEANWHILE.has(String((error as { code?: unknown }).code))) return true;
        throw error;
      },
    );
    if (!isTaken) return tag;
  }
}

/** Whether everybody may create in `public`, which nobody but a superuser can change there. */
async function opensPublic(superuser: Login): Promise<boolean> {
  const [server] = await runAs(superuser, "show server_version_num");
  return Number(server?.server_version_num) < 150_000;
}

/** A fresh application database with an owner and a table, and a plan for it that has not run. */
export async function unprovisioned(options: ProvisionedOptions = {}): Promise<TestDatabase> {
  const { host, port, ca, masterUsername, masterPassword, superuser } =
    options.cluster ?? (await fileCluster());
  const ssl = tlsOptions(host, { tls: "verify-full", ca }, { region: "", folder: "" });
  const loginTo = (name: string, username: string, password: string | Secret): Login => ({
    host,
    port,
    database: name,
    username,
    password: typeof password === "string" ? new Secret(password) : password,
    ssl,
  });
  const anywhere = loginTo("postgres", superuser.username, superuser.password);
  const tag = await freeTag(anywhere, masterUsername);
  const database = `app_${tag}`;
  const owner = `owner_${tag}`;
  const as: TestDatabase["as"] = (username, password, name = database) =>
    loginTo(name, username, password);
  const admin = (name = database): Login => as(masterUsername, masterPassword, name);
  const superuserLogin = (name = database): Login =>
    as(superuser.username, superuser.password, name);

  await withSession(admin(), TEST_LIMITS, (session) => seedDatabase(session, owner));
  const allowed = (await opensPublic(anywhere)) && { allowCreate: true };
  const before = options.before?.({ owner, database });
  if (before !== undefined) await runAs(superuserLogin(), before);

  const secrets = memorySecrets({
    [SECRETS.admin]: {
      engine: "postgres",
      host,
      port,
      dbname: database,
      username: masterUsername,
      password: new Secret(masterPassword),
    },
    [SECRETS.issuer]: { engine: "postgres", password: new Secret("placeholder") },
    [SECRETS.janitor]: { engine: "postgres", password: new Secret("placeholder") },
  });
  const lines: string[] = [];
  const warnings: string[] = [];
  const audit: AuditEvent[] = [];
  let groupRemovals = 0;
  const scheduleGroup: ScheduleGroup = {
    name: `mayfly-${tag}`,
    remove: async () => {
      groupRemovals += 1;
    },
  };
  const deps: ProvisionDeps = {
    secrets,
    adminSecret: SECRETS.admin,
    issuerSecret: SECRETS.issuer,
    janitorSecret: SECRETS.janitor,
    rotatedSecrets: ROTATED,
    scheduleGroup,
    server: { host, port, region: "eu-central-1", folder: "" },
    serverId: `${host}:${port}`,
    time: { now: () => Date.now() as Instant, wait: shortly },
    log: (step, facts = {}) => lines.push(JSON.stringify({ step, ...facts })),
    warn: (step, facts = {}) => warnings.push(JSON.stringify({ step, ...facts })),
    telemetry: { audit: (event) => audit.push(event), measure: () => {} },
    readers: options.readers ?? (() => ({ ...NO_READERS, close: async () => {} })),
  };
  const [converge, remove] = [makeConverge(deps), makeRemove(deps)];
  const stack: Stack = { id: `arn:aws:cloudformation:stack/${tag}`, resource: "Provision" };
  const plan: ProvisionPlan = {
    database: "orders",
    tag,
    shards: options.shards ?? 2,
    tls: "verify-full",
    ca,
    owner,
    databases: [database],
    maintenanceDatabase: options.maintenanceDatabase ?? MAINTENANCE_DATABASE,
    loginConnectionLimit: options.loginConnectionLimit ?? 20,
    roles: Object.fromEntries(
      Object.entries(options.roles ?? ROLES).map(([role, privileges]) => [
        role,
        {
          ...LIMITS,
          ...options.limits,
          ...allowed,
          groupRole: groupRoleName(tag, role),
          privileges,
        },
      ]),
    ),
    grants: ["user-service", "reporting"].flatMap((consumer) =>
      Object.keys(options.roles ?? ROLES).map((role) => ({ consumer, role })),
    ),
  };
  const held = async (arn: string, stage: string, name: string): Promise<Login> => {
    const { username, password } = (await secrets.getSecret(arn, { stage }))?.value ?? {};
    if (username === undefined || password === undefined)
      throw new Error(`secret ${arn} holds no login as ${stage}; call provision() first`);
    return as(username, password, name);
  };
  return {
    tag,
    database,
    owner,
    plan,
    stack,
    deps,
    secrets,
    lines,
    provision: (other = plan, of = stack, elsewhere = {}) => {
      const server = { ...deps.server, ...elsewhere };
      const serverId = elsewhere.serverId ?? `${server.host}:${server.port}`;
      return makeProvision({ ...deps, server, serverId })(other, of);
    },
    converge: (other = plan, id = stack.id) => converge(other, id),
    remove: (other = plan, of = stack) => remove(other, of),
    warnings,
    groupRemovals: () => groupRemovals,
    audit,
    admin,
    superuser: superuserLogin,
    as,
    issuerLogin: (which = "a") =>
      held(SECRETS.issuer, which === "a" ? "AWSCURRENT" : "AWSPREVIOUS", plan.maintenanceDatabase),
    janitor: () => held(SECRETS.janitor, "AWSCURRENT", database),
  };
}

/** Run SQL and return the last statement's rows: on a connection of its own, but for the superuser. */
export async function runAs(login: Login, text: string): Promise<Record<string, unknown>[]> {
  const rowsOn = async (client: pg.Client): Promise<Record<string, unknown>[]> => {
    const result = await client.query(text);
    return (Array.isArray(result) ? result.at(-1) : result).rows;
  };
  if (login.username === SUPERUSER && /^(app_|postgres$)/.test(login.database))
    return withKept(login, TEST_LIMITS, rowsOn);
  const client = await connect(login, TEST_LIMITS);
  try {
    return await rowsOn(client);
  } finally {
    await client.end();
  }
}
