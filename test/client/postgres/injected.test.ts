import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { inject } from "../../../client/kubernetes/inject.ts";
import { parseTargets } from "../../../client/kubernetes/vault/vault-targets.ts";
import { vaultTranslation } from "../../../client/kubernetes/vault/vault-translation.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort, type PodPlace, podPlace } from "../../support/injected-pod.ts";
import { aliasArn } from "../../support/leased-database.ts";
import { root } from "../../support/pages.ts";
import { runAs } from "../../support/provisioned.ts";

let place: PodPlace;
beforeAll(async () => {
  place = await podPlace();
});
afterAll(() => place.close());

const ARN = aliasArn("user-service--readonly");

/** The health port may be another's here. */
const movedHealth = async (): Promise<Record<string, string>> => ({
  '"port": 9127': `"port": ${await freePort()}`,
});

test("an injected pod's commands, run as Kubernetes runs them: one user in file and proxy, and the probe says when", async () => {
  const port = await freePort();
  const { text } = await inject(
    `apiVersion: v1
kind: Pod
metadata:
  name: app
  annotations:
    mayfly/inject: "true"
    mayfly/native: "false"
    mayfly/lease-orders: ${ARN}
    mayfly/proxy-orders: "${port}"
    mayfly/template-orders: "$(user) {{username}}"
spec:
  containers: [{ name: app, image: app }]
`,
    { file: "pod.yaml", image: "agent" },
  );
  const pod = place.pod(text, "/run/mayfly", await movedHealth());
  const [first] = pod.spec.initContainers ?? [];
  const second = pod.spec.containers?.at(-1);
  if (first === undefined || second === undefined) throw new Error("nothing was injected");
  expect(await once(pod.run(first), "exit")).toEqual([0, null]);
  const file = readFileSync(join(pod.volume, "orders"), "utf8");
  expect(file).toMatch(/^\$\(user\) mf_\w+/);
  const agent = pod.run(second);
  await pod.started(second);
  const client = new pg.Client({ host: "127.0.0.1", port, user: "any", database: "orders" });
  await client.connect();
  const { rows } = await client.query<{ name: string }>("select current_user as name");
  await client.end();
  expect(`$(user) ${rows[0]?.name}`).toBe(file);
  expect(readFileSync(join(pod.volume, "orders"), "utf8")).toBe(file);
  agent.kill("SIGTERM");
  expect(await once(agent, "exit")).toEqual([0, null]);
  const left = await runAs(
    place.database.test.superuser(),
    `select 1 from pg_roles where rolname = '${rows[0]?.name}'`,
  );
  expect(left).toEqual([]);
});

/** What the application of the tutorial does for each connection, `sslmode=disable`. */
async function userOf(folder: string, address: { readonly host: string; readonly port: number }) {
  const lines = readFileSync(join(folder, "db-creds.txt"), "utf8").split("\n");
  const values = new Map(lines.map((line) => line.trim().split("=", 2) as [string, string]));
  const client = new pg.Client({
    ...address,
    database: "orders",
    user: values.get("DB_USERNAME") ?? "",
    password: values.get("DB_PASSWORD") ?? "",
    ssl: false,
  });
  client.on("error", () => {}); // a revocation ends sessions
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>("select session_user as name");
    return { fromFile: values.get("DB_USERNAME"), atServer: rows[0]?.name };
  } finally {
    await client.end();
  }
}

test("the Deployment of Vault's tutorial works with DB_HOST at the proxy and nothing else changed, while its lease is revoked", async () => {
  const written = readFileSync(join(root, "examples/from-vault/deployment.yaml"), "utf8");
  const { text } = await inject(
    written.replace("orders.abc123.eu-west-1.rds.amazonaws.com", "127.0.0.1"),
    {
      file: "deployment.yaml",
      image: "agent",
      translation: vaultTranslation(parseTargets([`database/creds/readonly=${ARN}`])),
    },
  );
  const port = await freePort();
  const pod = place.pod(text, "/vault/secrets", {
    ...(await movedHealth()),
    '"port": 5432': `"port": ${port}`,
  });
  const [sidecar] = pod.spec.initContainers ?? [];
  const [application] = pod.spec.containers ?? [];
  if (sidecar === undefined || application === undefined) throw new Error("nothing was injected");
  const env = new Map(application.env.map(({ name, value }) => [name, value]));
  expect(env.get("DB_PORT")).toBe("5432"); // which is `port` here
  const address = { host: env.get("DB_HOST") ?? "", port };
  const agent = pod.run(sidecar);
  await pod.started(sidecar);

  const first = await userOf(pod.volume, address);
  expect(first.atServer).toMatch(/^mf_\w+/);
  expect(first.fromFile).toBe(first.atServer);
  const seen = new Set<string | undefined>();
  const failures: string[] = [];
  let isOver = false;
  const working = (async () => {
    while (!isOver)
      await userOf(pod.volume, address).then(
        ({ atServer }) => seen.add(atServer),
        (error: Error & { readonly code?: string }) => failures.push(error.code ?? error.message),
      );
  })();
  try {
    await eventually(() => seen.size === 1);
    await place.database.revokeEverything();
    await eventually(() => seen.size === 2);
    await eventually(async () => {
      const { fromFile, atServer } = await userOf(pod.volume, address);
      return fromFile === atServer && fromFile !== first.fromFile;
    });
  } finally {
    isOver = true;
    await working;
  }
  // at most what ran in the moment of the revocation
  expect(failures.filter((code) => code !== "57P01" && code !== "42501")).toEqual([]);
  expect(failures.length).toBeLessThan(2);
  agent.kill("SIGTERM");
  expect(await once(agent, "exit")).toEqual([0, null]);
});
