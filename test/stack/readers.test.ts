import { CfnOutput, Duration, type Stack } from "aws-cdk-lib";
import { InstanceType, SubnetType, Vpc } from "aws-cdk-lib/aws-ec2";
import { AccountRootPrincipal, Role } from "aws-cdk-lib/aws-iam";
import {
  DatabaseInstance,
  DatabaseInstanceEngine,
  DatabaseInstanceReadReplica,
  PostgresEngineVersion,
} from "aws-cdk-lib/aws-rds";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import type { Receipt } from "../../core/leases/receipt.ts";
import { DynamicDatabase, type DynamicDatabaseProps } from "../../lib/index.ts";
import { type Runner, startRunner } from "../../local/runner.ts";
import { type Clients, clientsOf, invoke } from "../local/clients.ts";
import { type SynthesizedApp, synthesize } from "../local/small-app.ts";
import { eventually } from "../support/eventually.ts";

type ReaderProps = Pick<
  DynamicDatabaseProps,
  "readers" | "readerConnections" | "instanceIdentifier" | "tag" | "maintenanceDatabase"
>;

/** Two ways to name the reader, beside each other on one server. */
const WAYS: Readonly<
  Record<string, (source: DatabaseInstance, replica: DatabaseInstanceReadReplica) => ReaderProps>
> = {
  Given: (_, replica) => ({
    readers: [{ host: replica.instanceEndpoint.hostname, port: replica.instanceEndpoint.port }],
    readerConnections: [replica],
    tag: "team",
  }),
  Listed: (source, replica) => ({
    instanceIdentifier: source.instanceIdentifier,
    readerConnections: [replica],
    tag: "crew",
    maintenanceDatabase: "mayfly_crew",
  }),
};

/** A team's own database with a read replica, and Mayfly beside it, twice. */
function fill(stack: Stack): void {
  const vpc = new Vpc(stack, "Vpc", {
    natGateways: 0,
    subnetConfiguration: [{ name: "db", subnetType: SubnetType.PRIVATE_ISOLATED }],
  });
  const network = {
    vpc,
    vpcSubnets: { subnetType: SubnetType.PRIVATE_ISOLATED },
    instanceType: new InstanceType("t4g.micro"),
  };
  const engine = DatabaseInstanceEngine.postgres({ version: PostgresEngineVersion.VER_18_3 });
  const source = new DatabaseInstance(stack, "Db", { engine, databaseName: "orders", ...network });
  const replica = new DatabaseInstanceReadReplica(stack, "Replica", {
    sourceDatabaseInstance: source,
    ...network,
  });
  const { secret } = source;
  if (secret === undefined) throw new Error("an instance makes its secret");
  const consumer = new Role(stack, "Service", { assumedBy: new AccountRootPrincipal() });
  const outputs: Record<string, string> = {
    ServiceArn: consumer.roleArn,
    ReplicaPort: String(replica.instanceEndpoint.port),
  };
  for (const [way, readers] of Object.entries(WAYS)) {
    const database = new DynamicDatabase(stack, way, {
      database: "orders",
      vpc,
      vpcSubnets: network.vpcSubnets,
      databaseConnections: source,
      host: source.instanceEndpoint.hostname,
      port: source.instanceEndpoint.port,
      adminSecret: secret,
      databases: ["orders"],
      owner: "postgres",
      watch: ["orders_app"],
      ...readers(source, replica),
    });
    const role = database.addRole("readonly", {
      select: ["public.*"],
      ttl: Duration.hours(1),
      maxTtl: Duration.hours(2),
    });
    outputs[`${way}AliasArn`] = role.addConsumer("service", consumer).aliasArn;
    outputs[`${way}OperatorArn`] = database.operatorArn;
  }
  for (const [id, value] of Object.entries(outputs))
    new CfnOutput(stack, `${id}Output`, { value }).overrideLogicalId(id);
}

let assembled: SynthesizedApp;
let runner: Runner;
let service: Clients;
beforeAll(async () => {
  assembled = synthesize(fill);
  runner = await startRunner({ assembly: assembled.assembly });
  service = clientsOf(runner, output("ServiceArn"));
});
afterAll(async () => {
  await runner?.stop();
  assembled?.remove();
});

const output = (name: string): string => runner.outputs[name] ?? "";

describe.each([
  ["with its endpoint given", "Given"],
  ["listed by RDS", "Listed"],
])("a read replica, %s,", (_what, way) => {
  const ask = async <T>(event: object): Promise<T> =>
    (await invoke(service, output(`${way}AliasArn`), event)).answer as T;

  async function logIn({ dbname: database, username: user, password }: Credential) {
    const { host, ca } = runner.database;
    const port = Number(output("ReplicaPort"));
    const client = new pg.Client({ host, port, database, user, password, ssl: { ca } });
    client.on("error", () => {}); // a revocation ends the session; the next query says so
    await client.connect();
    return client;
  }

  test("is where a lease works, and where its session is ended", async () => {
    const credential = await ask<Credential>({ action: "issue" });
    const session = await eventually(() => logIn(credential));
    const { leaseId } = credential;
    const found = await ask<{ sessions: number }>({ action: "lookup", leaseId });
    expect(found).toMatchObject({ state: "live", sessions: 1 });
    const receipt = await ask<Receipt>({ action: "revoke", leaseId });
    expect(receipt).toMatchObject({ state: "revoked", blockers: [] });
    expect(receipt.servers[1]).toEqual({
      server: `${runner.database.host}:${output("ReplicaPort")}`,
      sessionsEnded: 1,
      stragglersEnded: 0,
      sessionsRemaining: 0,
      latchSeen: true,
    });
    await expect(session.query("select 1")).rejects.toThrow(/terminat|not queryable/);
    const sweep = await invoke(clientsOf(runner, "administrator"), output(`${way}OperatorArn`), {
      action: "sweep",
    });
    expect(sweep.answer).toMatchObject({ unverified: 0, unknownSessions: 0, left: 0 });
    expect(sweep.answer).not.toHaveProperty("unseen");
  });

  test("is where a watched user is seen, as on the writer, by name", async () => {
    const { host, port, ca } = runner.database;
    const superuser = new pg.Client({ ...runner.database.superuser(), database: "orders" });
    await superuser.connect();
    const password = "of-a-static-user";
    await superuser.query(`drop role if exists orders_app`);
    await superuser.query(`create role orders_app login password '${password}'`);
    const replicaPort = Number(output("ReplicaPort"));
    const at = (to: number) =>
      new pg.Client({
        host,
        port: to,
        database: "orders",
        user: "orders_app",
        password,
        application_name: "orders-api",
        ssl: { ca },
      });
    const operate = async (action: string): Promise<unknown> =>
      (await invoke(clientsOf(runner, "administrator"), output(`${way}OperatorArn`), { action }))
        .answer;
    const sessions = [at(port)];
    await sessions[0]?.connect();
    await eventually(async () => {
      const client = at(replicaPort);
      await client.connect();
      sessions.push(client);
      return true;
    });
    expect(await operate("sweep")).toMatchObject({ watched: { users: 1, seen: 1 } });
    const noted = { state: "looked", sessions: 1, applications: ["orders-api"] };
    expect(await operate("status")).toMatchObject({
      watched: [
        {
          username: "orders_app",
          role: "open",
          servers: [port, replicaPort]
            .map((each) => ({ server: `${host}:${each}`, ...noted }))
            .toSorted((a, b) => (a.server < b.server ? -1 : 1)),
        },
      ],
    });
    for (const session of sessions) await session.end();
    await superuser.query("drop role orders_app");
    expect(await operate("sweep")).toMatchObject({ watched: { users: 1, seen: 0 } });
    expect(await operate("status")).toMatchObject({
      watched: [{ role: "absent", seenAt: expect.any(String) }],
    });
    await superuser.end();
  });
});
