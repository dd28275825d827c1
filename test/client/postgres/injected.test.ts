import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { expect, test } from "vitest";
import { inject } from "../../../client/kubernetes/inject.ts";
import { compileOneFile } from "../../../packaging/one-file.ts";
import { eventually } from "../../support/eventually.ts";
import { fileCluster } from "../../support/file-cluster.ts";
import { newFolder } from "../../support/file-outlet.ts";
import { startIssuerEndpoint } from "../../support/issuer-endpoint.ts";
import { podResourcesIn } from "../../support/kubernetes-schema.ts";
import { aliasArn, LeasedDatabase } from "../../support/leased-database.ts";
import { root } from "../../support/pages.ts";
import { runAs } from "../../support/provisioned.ts";

interface Container {
  readonly command: readonly string[];
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly startupProbe?: { readonly exec: { readonly command: readonly string[] } };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("an injected pod's commands, run as Kubernetes runs them: one user in file and proxy, and the probe says when", async () => {
  const cluster = await fileCluster();
  const folder = newFolder();
  const program = join(folder, "mayfly-agent.mjs");
  await compileOneFile(root, program, folder);
  writeFileSync(join(folder, "ca.pem"), cluster.ca);
  const database = await LeasedDatabase.start({
    cluster,
    ttlSeconds: 3_600,
    maxTtlSeconds: 86_400,
  });
  const issuer = await startIssuerEndpoint(database);
  const port = await freePort();
  const { text } = await inject(
    `apiVersion: v1
kind: Pod
metadata:
  name: app
  annotations:
    mayfly/inject: "true"
    mayfly/native: "false"
    mayfly/lease-orders: ${aliasArn("user-service--readonly")}
    mayfly/proxy-orders: "${port}"
    mayfly/template-orders: "$(user) {{username}}"
spec:
  containers: [{ name: app, image: app }]
`,
    { file: "pod.yaml", image: "agent" },
  );
  const { initContainers = [], containers = [] } = (podResourcesIn(text)[0]?.spec ?? {}) as {
    readonly initContainers?: readonly Container[];
    readonly containers?: readonly Container[];
  };
  const health = await freePort();
  const here = (words: string): string =>
    words
      .replace("/nodejs/bin/node", process.execPath)
      .replace("/opt/mayfly/mayfly-agent.mjs", program)
      .replaceAll("/run/mayfly", join(folder, "volume"))
      .replace('"port": 9127', `"port": ${health}`);
  const environment = ({ env }: Container) => ({
    ...Object.fromEntries(env.map(({ name, value }) => [name, here(value.replaceAll("$$", "$"))])),
    // what the cluster and the image bring
    AWS_ENDPOINT_URL_LAMBDA: issuer.url,
    AWS_ACCESS_KEY_ID: "none",
    AWS_SECRET_ACCESS_KEY: "none",
    AWS_EC2_METADATA_DISABLED: "true",
    NODE_EXTRA_CA_CERTS: join(folder, "ca.pem"),
  });
  const running = (container: Container, command = container.command) => {
    const [executable = "", ...args] = command.map(here);
    return spawn(executable, args, {
      env: environment(container),
      stdio: ["ignore", "ignore", "inherit"],
    });
  };
  const [first] = initContainers;
  const second = containers.at(-1);
  if (first === undefined || second === undefined) throw new Error("nothing was injected");
  try {
    mkdirSync(join(folder, "volume"));
    expect(await once(running(first), "exit")).toEqual([0, null]);
    const file = readFileSync(join(folder, "volume", "orders"), "utf8");
    expect(file).toMatch(/^\$\(user\) mf_\w+/);
    const agent = running(second);
    const probe = second.startupProbe?.exec.command ?? [];
    await eventually(async () => {
      const [status] = (await once(running(second, probe), "exit")) as [number];
      return status === 0;
    });
    const client = new pg.Client({ host: "127.0.0.1", port, user: "any", database: "orders" });
    await client.connect();
    const { rows } = await client.query<{ name: string }>("select current_user as name");
    await client.end();
    expect(`$(user) ${rows[0]?.name}`).toBe(file);
    expect(readFileSync(join(folder, "volume", "orders"), "utf8")).toBe(file);
    agent.kill("SIGTERM");
    expect(await once(agent, "exit")).toEqual([0, null]);
    const left = await runAs(
      database.test.superuser(),
      `select 1 from pg_roles where rolname = '${rows[0]?.name}'`,
    );
    expect(left).toEqual([]);
  } finally {
    await issuer.stop();
    await database.close();
    rmSync(folder, { recursive: true });
  }
});
