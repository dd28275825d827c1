import { randomBytes } from "node:crypto";
import { setTimeout } from "node:timers/promises";
import type { AuditEvent } from "../../core/audit.ts";
import { base32 } from "../../core/base32.ts";
import { issuerLoginName, MAINTENANCE_DATABASE } from "../../core/names.ts";
import { type RotationReport, rotate } from "../../core/rotation/rotate.ts";
import type { RotationRds } from "../../core/rotation/rotation-ports.ts";
import { ROTATION_STEPS, type RotationStep } from "../../core/rotation/rotation-request.ts";
import {
  DEFAULT_PASSWORD_POLICY,
  type RotationSettings,
  type RotationStrategy,
} from "../../core/rotation/settings.ts";
import type { RotationDeps } from "../../core/rotation/versions.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretObject } from "../../core/secret-store.ts";
import { type Instant, seconds } from "../../core/time.ts";
import { rotationRds } from "../../lambda/aws/rotation-rds.ts";
import type { Login } from "../../lambda/postgres/connection/login.ts";
import { scramVerifier } from "../../lambda/postgres/connection/scram.ts";
import { openSession, withSession } from "../../lambda/postgres/connection/session.ts";
import { ident, literal, sql } from "../../lambda/postgres/connection/sql.ts";
import { tlsOptions } from "../../lambda/postgres/connection/tls.ts";
import { rotationServers } from "../../lambda/postgres/rotation/servers.ts";
import type { TestCluster } from "./cluster.ts";
import { fileCluster } from "./file-cluster.ts";
import { type MemoryRds, memoryRds, rdsClient } from "./memory-rds.ts";
import { type MemoryRotation, memoryRotation } from "./memory-rotation.ts";
import {
  type ProvisionedOptions,
  provisioned,
  runAs,
  TEST_LIMITS,
  type TestDatabase,
  unprovisioned,
} from "./provisioned.ts";

export const MASTER_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:admin-AbCdEf";

/** A rotated secret on a real server, with everything its rotation function has. */
export interface RotationScene {
  readonly test: TestDatabase;
  readonly settings: RotationSettings;
  readonly secret: MemoryRotation;
  readonly deps: RotationDeps;
  readonly audit: AuditEvent[];
  /** How many connections were opened, refused ones included. */
  readonly connections: () => number;
  /** One step of the rotation that is under way. */
  readonly step: (
    step: RotationStep,
    changes?: Partial<RotationDeps>,
    token?: string,
  ) => Promise<RotationReport>;
  /** All four, as Secrets Manager asks for them; goes on with a rotation that failed. */
  readonly rotate: (changes?: Partial<RotationDeps>, token?: string) => Promise<void>;
  readonly ssl: Login["ssl"];
  /** Its instance, of which the secret's user is the master. */
  readonly rds: MemoryRds;
  /** Log in with a version; the SQLSTATE of a refusal. */
  readonly refusalOf: (label: string) => Promise<string | undefined>;
  /** The login in a version. */
  readonly loginOf: (label: string) => Login;
}

export interface SceneOptions {
  readonly changes?: Partial<RotationSettings>;
  /** More keys, or other values, of the secret. */
  readonly value?: SecretObject;
  /** Of the administrator's secret. */
  readonly master?: SecretObject;
  /** Of its AWSPENDING version. */
  readonly nextMaster?: SecretObject;
  /** @default - the server that all tests of a file share */
  readonly cluster?: TestCluster;
  /** Of the database whose issuer's logins are rotated. */
  readonly limits?: ProvisionedOptions["limits"];
}

/** Make the users of a strategy, and their secret, with a password that nobody else has. */
export async function rotationScene(
  strategy: RotationStrategy,
  options: SceneOptions = {},
): Promise<RotationScene> {
  const cluster = options.cluster ?? (await fileCluster());
  const isIssuer = strategy === "issuer-login";
  const { limits } = options;
  const test = isIssuer
    ? await provisioned({ cluster, ...(limits && { limits }) })
    : await unprovisioned({ cluster });
  const { tag, database, owner } = test;
  const usernames = usernamesOf(strategy, tag);
  const [first = ""] = usernames;
  const password = new Secret(base32(randomBytes(20), 32));
  if (!isIssuer) await makeUser(test, first, password, strategy);
  const { host, port } = cluster;
  const ordinary = { engine: "postgres", host, port, dbname: database, username: first, password };
  const master = { engine: "postgres", host, port, username: cluster.masterUsername };
  const masterValue = {
    ...master,
    password: new Secret(cluster.masterPassword),
    ...options.master,
  };
  const secret = memoryRotation(
    {
      ...ordinary,
      ...(strategy === "alternating-users" && { masterarn: MASTER_ARN }),
      ...options.value,
    },
    {
      [MASTER_ARN]: masterValue,
      ...(options.nextMaster && {
        [`${MASTER_ARN} AWSPENDING`]: { ...masterValue, ...options.nextMaster },
      }),
    },
  );
  if (isIssuer) await copyIssuerSecret(test, secret);
  const settings: RotationSettings = {
    database: "orders",
    tag,
    secret: "rotated",
    strategy,
    usernames,
    ...(strategy === "alternating-users" && { group: owner, actsAsGroup: true, owner }),
    tls: "verify-full",
    ca: cluster.ca,
    password: DEFAULT_PASSWORD_POLICY,
    testQueries: [],
    ...options.changes,
  };
  const ssl = tlsOptions(host, { tls: "verify-full", ca: cluster.ca }, { region: "", folder: "" });
  const rds = memoryRds(test, first);
  let connections = 0;
  const audit: AuditEvent[] = [];
  const deps: RotationDeps = {
    settings,
    secretArn: secret.arn,
    masterArn: MASTER_ARN,
    server: { host, port },
    secrets: secret.secrets,
    servers: rotationServers(
      () => ssl,
      (login, limits) => {
        connections += 1;
        return openSession(login, limits);
      },
    ),
    rds: rdsOf(rds),
    random: randomBytes,
    telemetry: { audit: (event) => audit.push(event) },
    time: {
      now: () => Date.now() as Instant,
      wait: async (length) => {
        await setTimeout(Math.min(length, 20));
      },
    },
  };
  const step: RotationScene["step"] = (name, changes, token = secret.begin()) =>
    rotate({ ...deps, ...changes }, { step: name, secretId: secret.arn, token });
  const loginOf = (label: string): Login => {
    const { username = "", password: held = new Secret("") } = secret.valueOf(label) ?? {};
    return test.as(username, held, isIssuer ? MAINTENANCE_DATABASE : database);
  };
  return {
    test,
    settings,
    secret,
    deps,
    audit,
    connections: () => connections,
    step,
    ssl,
    rds,
    rotate: async (changes, token = secret.begin()) => {
      for (const name of ROTATION_STEPS)
        await rotate({ ...deps, ...changes }, { step: name, secretId: secret.arn, token });
    },
    loginOf,
    refusalOf: (label) =>
      runAs(loginOf(label), "select 1").then(
        () => undefined,
        (error: { code?: string; message: string }) => error.code ?? error.message,
      ),
  };
}

/** The real adapter over an instance in memory; hosts are looked at by tests of their own. */
export const rdsOf = (rds: MemoryRds): RotationRds => ({
  ...rotationRds({
    client: rdsClient(rds),
    source: { instance: "orders" },
    fixedHosts: [],
    patience: seconds(10),
    time: { now: () => Date.now() as Instant, wait: async () => {} },
  }),
  belongs: async () => false,
});

function usernamesOf(strategy: RotationStrategy, tag: string): readonly string[] {
  if (strategy === "issuer-login") return [issuerLoginName(tag, "a"), issuerLoginName(tag, "b")];
  return strategy === "alternating-users" ? [`app_a_${tag}`, `app_b_${tag}`] : [`app_${tag}`];
}

/** As the provisioner makes it. */
async function makeUser(
  test: TestDatabase,
  username: string,
  password: Secret,
  strategy: RotationStrategy,
): Promise<void> {
  const verifier = literal(await scramVerifier(password));
  const [user, group] = [ident(username), ident(test.owner)];
  await withSession(test.admin(), TEST_LIMITS, (session) =>
    session.apply("make a rotated user", [
      sql`create role ${user} login password ${verifier} in role ${group}`,
      ...(strategy === "alternating-users"
        ? [sql`alter role ${user} set role = ${literal(test.owner)}`]
        : []),
    ]),
  );
}

/** The two versions that provisioning has put. */
async function copyIssuerSecret(test: TestDatabase, secret: MemoryRotation): Promise<void> {
  for (const stage of ["AWSPREVIOUS", "AWSCURRENT"]) {
    const { value = {} } = (await test.secrets.getSecret("issuer", { stage })) ?? {};
    secret.put(value);
  }
}
