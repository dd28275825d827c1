import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AGENT_IMAGE, READY_COMMAND } from "../../../core/agent-image.ts";
import { compileOneFile } from "../../../packaging/one-file.ts";
import { BareContainer, listed, missingForContainer } from "../../support/bare-container.ts";
import type { TestCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { newFolder } from "../../support/file-outlet.ts";
import { type IssuerEndpoint, startIssuerEndpoint } from "../../support/issuer-endpoint.ts";
import { aliasArn, LeasedDatabase } from "../../support/leased-database.ts";
import { runAs } from "../../support/provisioned.ts";

const CLONE = join(import.meta.dirname, "..", "..", "..");
const missing = missingForContainer();

/** Node and its options, as the Dockerfile has them. */
const ENTRYPOINT = JSON.parse(
  /^ENTRYPOINT (.*)$/m.exec(readFileSync(join(CLONE, "packaging/agent/Dockerfile"), "utf8"))?.[1] ??
    "[]",
) as readonly string[];

const CA = "/etc/mayfly/ca.pem";

describe.skipIf(missing !== undefined)(
  `the agent as PID 1 of a container${missing === undefined ? "" : ` (not run: needs ${missing})`}`,
  () => {
    let cluster: TestCluster;
    let database: LeasedDatabase;
    let issuer: IssuerEndpoint;
    let folder: string;
    let container: BareContainer;
    let ports: { readonly proxy: number; readonly secrets: number; readonly health: number };
    /** What is in the root file system before the agent starts. */
    let before: readonly string[];

    beforeAll(async () => {
      folder = newFolder();
      const program = join(folder, "mayfly-agent.mjs");
      const root = join(folder, "root");
      const noRoots = join(folder, "rds-ca");
      for (const each of [root, noRoots]) mkdirSync(each);
      const ca = join(folder, "ca.pem");
      cluster = await fileCluster();
      writeFileSync(ca, cluster.ca);
      [database] = await Promise.all([
        LeasedDatabase.start({ cluster, ttlSeconds: 3_600, maxTtlSeconds: 86_400 }),
        compileOneFile(CLONE, program, noRoots),
      ]);
      issuer = await startIssuerEndpoint(database);
      const [proxy = 0, secrets = 0, health = 0] = await freePorts(3);
      ports = { proxy, secrets, health };
      container = await BareContainer.start({
        root,
        files: { [AGENT_IMAGE.program]: program, [CA]: ca },
        node: AGENT_IMAGE.node,
        volume: AGENT_IMAGE.folder,
        user: AGENT_IMAGE.user,
        command: [...ENTRYPOINT, "--json"],
        env: {
          MAYFLY_AGENT_CONFIG: JSON.stringify(configuration(ports)),
          MAYFLY_LEASE_ORDERS_READONLY: aliasArn("user-service--readonly"),
          AWS_REGION: "eu-west-1",
          AWS_ENDPOINT_URL_LAMBDA: issuer.url,
          AWS_EC2_METADATA_DISABLED: "true",
          // nobody looks at keys here
          AWS_ACCESS_KEY_ID: "none",
          AWS_SECRET_ACCESS_KEY: "none",
        },
      });
      before = listed(root);
    });
    afterAll(async () => {
      await container?.kill();
      await issuer?.stop();
      await database?.close();
      rmSync(folder, { recursive: true, force: true });
    });

    const ready = () => container.exec(READY_COMMAND.slice(1));
    const row = (): { readonly username: string } =>
      JSON.parse(readFileSync(container.at("/run/mayfly/orders.json"), "utf8"));

    test("has a root without a shell, without privileges, and nothing that it may write but the volume", async () => {
      expect(container.status("NSpid")).toMatch(/ 1$/);
      await eventually(() => container.status("Uid") === "65532 65532 65532 65532");
      expect(container.status("Groups")).toBe("");
      expect(container.status("CapPrm")).toMatch(/^0+$/);
      expect(container.status("NoNewPrivs")).toBe("1");
      const write = (path: string) =>
        container.exec(["-e", `fs.writeFileSync(${JSON.stringify(path)}, "")`], {});
      for (const path of ["/x", "/opt/mayfly/x", "/etc/mayfly/x"])
        expect((await write(path)).text).toMatch("EROFS");
      expect(await write("/run/mayfly/x")).toEqual({ status: 0, text: "" });
      rmSync(container.at("/run/mayfly/x"));
      expect(existsSync(container.at("/bin"))).toBe(false);
    });

    test("serves its lease by the proxy, a file and Secrets Manager's port, and is ready then", async () => {
      try {
        await eventually(async () => (await ready()).status === 0);
      } catch (cause) {
        throw new Error(`it is not ready, but says:\n${container.log}`, { cause });
      }
      expect(await ready()).toEqual({ status: 0, text: "" });
      const { username } = row();
      const client = new pg.Client({ host: "127.0.0.1", port: ports.proxy, ssl: false });
      await client.connect();
      const { rows } = await client.query("select current_user as username");
      await client.end();
      expect(rows).toEqual([{ username }]);
      const secrets = new SecretsManagerClient({
        endpoint: `http://127.0.0.1:${ports.secrets}`,
        region: "eu-west-1",
        credentials: { accessKeyId: "none", secretAccessKey: "none" },
      });
      const command = new GetSecretValueCommand({ SecretId: "orders/readonly" });
      const { SecretString = "" } = await secrets.send(command);
      expect(JSON.parse(SecretString)).toMatchObject({ username });
      expect(statSync(container.at("/run/mayfly/orders.json"))).toMatchObject({
        uid: 65_532,
        gid: 65_532,
      });
    });

    test("leaves no zombie of a command, and writes nothing outside the volume", async () => {
      expect(readFileSync(container.at("/run/mayfly/changes"), "utf8")).toBe("x");
      await eventually(() => container.othersIn().length === 0);
      expect(listed(join(folder, "root"))).toEqual(before);
      expect(listed(container.at(AGENT_IMAGE.folder)).map((line) => line.split(" ")[0])).toEqual([
        "changes",
        "health-token",
        "orders.json",
        "state/keys.json",
        "token",
      ]);
    });

    test("ends at SIGTERM with its lease revoked", async () => {
      const { username } = row();
      container.signal("SIGTERM");
      expect(await container.ended).toBe(0);
      const sql = `select 1 from pg_roles where rolname = '${username}'`;
      expect(await runAs(database.test.superuser(), sql)).toEqual([]);
      expect(container.log).toMatch("its leases are revoked");
      expect(container.log).not.toMatch(/EROFS|EACCES|ENOENT/);
    });
  },
);

const configuration = (ports: {
  readonly proxy: number;
  readonly secrets: number;
  readonly health: number;
}) => ({
  leases: { "orders/readonly": { proxy: { port: ports.proxy, private: true } } },
  files: [
    {
      path: "/run/mayfly/orders.json",
      from: "orders/readonly",
      format: "json",
      onChange: {
        command: [AGENT_IMAGE.node, "-e", 'fs.appendFileSync("/run/mayfly/changes", "x")'],
      },
    },
  ],
  secretsManager: { port: ports.secrets, tokenFile: "/run/mayfly/token", private: true },
  health: { port: ports.health, tokenFile: "/run/mayfly/health-token" },
  state: "/run/mayfly/state",
  ca: CA,
});

/** Ports that nobody listens at now. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((done) => server.once("listening", done))));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  });
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))));
  return ports;
}
