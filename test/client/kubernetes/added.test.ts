import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inject } from "../../../client/kubernetes/inject.ts";
import { podResourcesIn } from "../../support/kubernetes-schema.ts";

interface Mount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

interface Container {
  readonly name: string;
  readonly command?: readonly string[];
  readonly restartPolicy?: string;
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly volumeMounts?: readonly Mount[];
  readonly startupProbe?: { readonly exec: { readonly command: readonly string[] } };
}

interface Spec {
  readonly initContainers: readonly Container[];
  readonly containers: readonly Container[];
  readonly volumes: readonly object[];
  readonly securityContext?: object;
}

interface Template {
  readonly spec: Spec;
}

/** The pod of the first resource with one, when it is injected. */
async function specOf(text: string): Promise<Spec> {
  const made = await inject(text, { file: "f", image: "agent:1" });
  const [resource] = podResourcesIn(made.text);
  const spec = resource?.spec as Spec & {
    readonly template?: Template;
    readonly jobTemplate?: { readonly spec: { readonly template: Template } };
  };
  return (spec.jobTemplate?.spec ?? spec).template?.spec ?? spec;
}

const manifest = (name: string): string =>
  readFileSync(join(import.meta.dirname, "manifests", name), "utf8");

const names = (containers: readonly Container[]): readonly string[] =>
  containers.map(({ name }) => name);

/** What the agent reads when Kubernetes has replaced what it replaces. */
function configurationOf(container: Container | undefined): Readonly<Record<string, unknown>> {
  const written = container?.env?.find(({ name }) => name === "MAYFLY_AGENT_CONFIG")?.value ?? "";
  expect(written.replaceAll("$$", "")).not.toMatch("$");
  return JSON.parse(written.replaceAll("$$", "$")) as Readonly<Record<string, unknown>>;
}

const RESTRICTED = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

test("a native sidecar is the first init container, as strict as the restricted profile", async () => {
  const spec = await specOf(manifest("chart.yaml"));
  expect(names(spec.initContainers)).toEqual(["mayfly-agent", "chown"]);
  expect(names(spec.containers)).toEqual(["shop", "exporter", "logs"]);
  const [agent] = spec.initContainers;
  expect(agent?.restartPolicy).toBe("Always");
  expect(agent?.securityContext).toEqual({ ...RESTRICTED, runAsUser: 65_532, runAsGroup: 65_532 });
  expect(spec.securityContext).toEqual({
    fsGroup: 2000,
    runAsNonRoot: true,
    fsGroupChangePolicy: "OnRootMismatch",
  });
});

test("the chosen containers see a volume in memory, and cannot write there", async () => {
  const { initContainers, containers, volumes } = await specOf(manifest("chart.yaml"));
  const own = ({ volumeMounts = [] }: Container) =>
    volumeMounts.filter(({ name }) => name === "mayfly-agent");
  const mount = { name: "mayfly-agent", mountPath: "/run/mayfly" };
  expect([...initContainers, ...containers].map(own)).toEqual([
    [mount],
    [],
    [{ ...mount, readOnly: true }],
    [{ ...mount, readOnly: true }],
    [],
  ]);
  expect(volumes).toContainEqual({
    name: "mayfly-agent",
    emptyDir: { medium: "Memory", sizeLimit: "8Mi" },
  });
});

test("files are for the pod's group if it has one, ports miss those of the pod, and sessions have its time", async () => {
  const chart = configurationOf((await specOf(manifest("chart.yaml"))).initContainers[0]);
  expect(chart).toEqual({
    leases: {
      shop: { arn: "arn:aws:lambda:eu-west-1:111122223333:function:issuer:shop--readwrite" },
    },
    secrets: { reports: { id: "reports/app" } },
    files: [
      { path: "/run/mayfly/shop.env", from: "shop", format: "env", mode: "0640" },
      {
        path: "/run/mayfly/reports",
        from: "reports",
        contents: "url={{username}}:{{password}}@{{host}}\n",
        mode: "0640",
      },
    ],
    health: { port: 9127, tokenFile: "/run/mayfly/.agent/health-token" },
    state: "/run/mayfly/.agent",
    grace: "85s",
  });
  const [, meshed] = (await specOf(manifest("sidecars.yaml"))).initContainers;
  expect(meshed?.name).toBe("mesh");
  const [agent] = (await specOf(manifest("sidecars.yaml"))).initContainers;
  expect(configurationOf(agent)).toMatchObject({
    leases: { db: { proxy: { port: 15_432, private: true } } },
    files: [{ mode: "0600" }],
    health: { port: 9128 },
  });
  expect(agent?.securityContext).toMatchObject({ runAsUser: 1000, runAsGroup: 1000 });
  expect(agent?.env?.[1]).toEqual({
    name: "MAYFLY_LEASE_DB",
    value: "arn:aws:lambda:eu-west-1:111122223333:function:issuer:meshed--readwrite",
  });
  const [pod] = (await specOf(manifest("mixed.yaml"))).initContainers;
  expect(configurationOf(pod)).toMatchObject({ files: [{ from: ["a", "b.c"], mode: "0644" }] });
});

test("ports alone need no volume in the containers, and Secrets Manager's token does", async () => {
  const mounts = async (name: string) =>
    (await specOf(manifest(name))).containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
  expect(await mounts("plain.yaml")).toEqual([]);
  expect(await mounts("list.json")).toHaveLength(1);
});

test("a pod in its node's network has a socket and no port", async () => {
  const [agent] = (await specOf(manifest("host.yaml"))).initContainers;
  expect(configurationOf(agent)).toEqual({
    secrets: { metrics: { id: "metrics/writer", proxy: { socket: "/run/mayfly/metrics" } } },
    state: "/run/mayfly/.agent",
    grace: "25s",
  });
  expect(agent?.securityContext).toMatchObject({ runAsUser: 1500, runAsGroup: 1600 });
  expect(agent?.startupProbe?.exec.command.at(-1)).toBe("/run/mayfly/metrics/.s.PGSQL.5432");
});

test("an init container alone writes once, and copies the variable of its lease", async () => {
  const { initContainers, containers } = await specOf(manifest("anchors.yaml"));
  const [agent] = initContainers;
  expect(agent?.command?.at(-1)).toBe("--once");
  expect([agent?.restartPolicy, agent?.startupProbe]).toEqual([undefined, undefined]);
  expect(agent?.env?.[1]).toEqual({
    name: "MAYFLY_LEASE_ORDERS",
    valueFrom: { configMapKeyRef: { name: "leases", key: "orders", optional: false } },
  });
  expect(containers.map(({ volumeMounts = [] }) => volumeMounts.at(-1)?.readOnly)).toEqual([
    true,
    true,
  ]);
});

test("an old cluster has an init container and a sidecar with one configuration", async () => {
  const { initContainers, containers } = await specOf(manifest("old-cluster.yaml"));
  expect(names(initContainers)).toEqual(["mayfly-agent-once"]);
  expect(names(containers)).toEqual(["legacy", "second", "mayfly-agent"]);
  const [first, last] = [initContainers[0], containers.at(-1)];
  expect(first?.command).toEqual([...(last?.command ?? []), "--once"]);
  expect(last?.restartPolicy).toBeUndefined();
  expect(configurationOf(first)).toEqual(configurationOf(last));
  expect(configurationOf(last)).toMatchObject({
    files: [
      {
        path: "/vault/secrets/legacy",
        contents: "user={{username}}\npassword=$(not a variable) {{password}}\n",
        mode: "0640",
        onChange: { command: ["/nodejs/bin/node", "-e", "process.exit(0)"] },
      },
    ],
    state: "/vault/secrets/.agent",
  });
});
