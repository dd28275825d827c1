import { expect, test } from "vitest";
import { inject, type Translation } from "../../../client/kubernetes/inject.ts";
import { injectAll } from "../../../client/kubernetes/inject-all.ts";
import { ManifestError } from "../../../client/kubernetes/manifest/problem.ts";

const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";

interface Case {
  readonly annotations?: Readonly<Record<string, unknown>>;
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly kind?: string;
  /** `volumeClaimTemplates` */
  readonly claims?: readonly object[];
}

const FINE = { inject: "true", "lease-orders": ARN, "proxy-orders": "5432" };
const APP = { name: "app", image: "app:1" };

/** A pod's spec whose nodes have one of these systems, or none. */
const onNodes = (operator: string, values: readonly string[], key = "kubernetes.io/os") => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [
          {
            matchExpressions: [
              { key: "zone", operator: "Exists" },
              { key, operator, values },
            ],
          },
        ],
      },
    },
  },
});

/** A pod's spec whose nodes suit one of two terms. */
const onEither = (...systems: readonly (string | undefined)[]) => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: systems.map((system) => ({
          matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }],
          ...(system !== undefined && {
            matchExpressions: [{ key: "kubernetes.io/os", operator: "In", values: [system] }],
          }),
        })),
      },
    },
  },
});

function manifest({ annotations = {}, spec = {}, kind = "Deployment", claims }: Case): string {
  const all = Object.entries({ ...FINE, ...annotations }).filter(([, value]) => value !== null);
  const own = all.map(([name, value]) => [`mayfly/${name}`, value]);
  return JSON.stringify({
    apiVersion: kind === "Job" ? "batch/v1" : "apps/v1",
    kind,
    metadata: { name: "web" },
    spec: {
      volumeClaimTemplates: claims,
      template: {
        metadata: { annotations: Object.fromEntries(own) },
        spec: { containers: [APP], ...spec },
      },
    },
  });
}

const yamlPod = (annotation: string): string => `apiVersion: v1
kind: Pod
metadata:
  name: p
  annotations:
    mayfly/inject: "true"
    mayfly/secret-a: a
    mayfly/format-a: env
    ${annotation}
spec:
  containers:
    - name: app
`;

async function problemsOf(
  text: string,
  image: string | undefined = "i:1",
): Promise<readonly string[]> {
  try {
    await inject(text, { file: "web.yaml", ...(image !== "" && { image }) });
    return [];
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return error.message.split("\n");
  }
}

test.each<readonly [string, Case, string]>([
  [
    "an annotation that is misspelled",
    { annotations: { "lese-orders": "x" } },
    "mayfly/lese-orders: is no annotation of Mayfly's; write mayfly/lease-orders",
  ],
  [
    "another one",
    { annotations: { "init-onyl": "true" } },
    "mayfly/init-onyl: is no annotation of Mayfly's; write mayfly/init-only",
  ],
  [
    "a name without a login",
    { annotations: { lease: ARN } },
    "mayfly/lease: has no name; write the login's after it, e.g. mayfly/lease-orders",
  ],
  [
    "a name that is none",
    { annotations: { "lease-orders_": ARN } },
    'mayfly/lease-orders_: "orders_" is no name of a login or a file; write up to 52 of A-Z, a-z, 0-9 and ._-, beginning and ending with a letter or digit',
  ],
  [
    "a number",
    { annotations: { "proxy-orders": 5432 } },
    'mayfly/proxy-orders: 5432 is no text to Kubernetes; write it in quotes, "5432"',
  ],
  [
    "a truth",
    { annotations: { native: false } },
    'mayfly/native: false is no text to Kubernetes; write it in quotes, "false"',
  ],
  [
    "a port of root's",
    { annotations: { "proxy-orders": "80" } },
    'mayfly/proxy-orders: "80" is no port; write 1024 to 65535, or "socket"',
  ],
  [
    "a port of a container",
    { spec: { containers: [{ ...APP, ports: [{ containerPort: 5432 }] }] } },
    'mayfly/proxy-orders: 5432 is a port of the container "app"; choose another',
  ],
  [
    "a port of two logins",
    { annotations: { "secret-b": "b", "proxy-b": "5432" } },
    "mayfly/proxy-b: 5432 is leases.orders.proxy.port too; choose another",
  ],
  [
    "a lease from nowhere",
    { annotations: { "lease-orders": "orders/readonly" } },
    "mayfly/lease-orders: no container has MAYFLY_LEASE_ORDERS_READONLY in its env; write the alias's ARN instead, or add the variable",
  ],
  [
    "a lease that envFrom may bring",
    {
      annotations: { "lease-orders": "orders/readonly" },
      spec: { containers: [{ ...APP, envFrom: [{ configMapRef: { name: "leases" } }] }] },
    },
    "mayfly/lease-orders: no container has MAYFLY_LEASE_ORDERS_READONLY in its env, and what envFrom brings is not in the manifest; write the alias's ARN instead, or add the variable",
  ],
  [
    "a lease that is neither",
    { annotations: { "lease-orders": "arn:aws:lambda:x" } },
    'mayfly/lease-orders: "arn:aws:lambda:x" is neither the ARN of an alias nor database/role; write arn:aws:lambda:<region>:<account>:function:<name>:<alias>',
  ],
  [
    "a rotated secret by its name in a configuration",
    { annotations: { "secret-b": "orders/reports", "proxy-b": "5433" } },
    'mayfly/secret-b: "orders/reports" may be a rotated secret\'s name in a configuration, which Secrets Manager does not know; write the secret\'s ARN, the stack\'s output that ends in SecretArn, or "name:orders/reports" if Secrets Manager has this very name',
  ],
  [
    "a login that nobody gets",
    { annotations: { "proxy-orders": null } },
    "mayfly/lease-orders: nothing hands it out; write mayfly/proxy-orders, mayfly/format-orders, mayfly/template-orders or mayfly/secrets-manager",
  ],
  [
    "no login",
    { annotations: { "proxy-orders": null, "lease-orders": null } },
    "there is no login; write mayfly/lease-<name> or mayfly/secret-<name>",
  ],
  [
    "a proxy without a login",
    { annotations: { "proxy-b": "5433" } },
    'mayfly/proxy-b: there is no login "b"; write mayfly/lease-b or mayfly/secret-b',
  ],
  [
    "a template's field that there is not",
    { annotations: { "template-orders": "a\n{{user}}" } },
    'mayfly/template-orders: /run/mayfly/orders, line 2: there is no field "user"; there are username',
  ],
  [
    "a template's syntax",
    { annotations: { "template-orders": "{{#with}" } },
    "mayfly/template-orders: /run/mayfly/orders, line 1: not a template",
  ],
  [
    "a format",
    { annotations: { "format-orders": "yaml" } },
    'mayfly/format-orders: "yaml" is no format; write one of env, json',
  ],
  [
    "a file's name",
    { annotations: { "format-orders": "env", "file-orders": "../x" } },
    'mayfly/file-orders: "../x" is no file\'s name; write up to 200 of',
  ],
  [
    "a mode",
    { annotations: { "format-orders": "env", "mode-orders": "rw" } },
    'mayfly/mode-orders: "rw" is no mode; write permissions in octal, e.g. "0640"',
  ],
  ["a time to live", { annotations: { "ttl-orders": "soon" } }, 'mayfly/ttl-orders: "soon"'],
  [
    "a command",
    { annotations: { "format-orders": "env", "command-orders": "reload" } },
    `mayfly/command-orders: "reload" is no command (Unexpected token 'r', "reload" is not valid JSON); write a JSON list of words`,
  ],
  [
    "a command that is a text",
    { annotations: { "format-orders": "env", "command-orders": '"reload"' } },
    'mayfly/command-orders: "\\"reload\\"" is no command; write a JSON list of words',
  ],
  [
    "a mode of no file",
    { annotations: { "mode-orders": "0600" } },
    "mayfly/mode-orders: says of no file; write mayfly/template-orders or mayfly/format-orders too",
  ],
  [
    "a container that there is not",
    { annotations: { containers: "app, web" } },
    'mayfly/containers: there is no container "web"; there are app',
  ],
  [
    "resources",
    { annotations: { resources: '{"limit": {}}' } },
    'mayfly/resources: "{\\"limit\\": {}}" are no resources ("limit" is neither requests nor limits); write JSON, e.g.',
  ],
  [
    "resources that are no JSON",
    { annotations: { resources: '{"limits": {memory: "1Gi"}}' } },
    `mayfly/resources: "{\\"limits\\": {memory: \\"1Gi\\"}}" are no resources (Expected property name or '}' in JSON at position 12 (line 1 column 13)); write JSON, e.g.`,
  ],
  [
    "resources that are no quantities",
    { annotations: { resources: '{"limits": {"memory": "1 Gi"}}' } },
    'mayfly/resources: "{\\"limits\\": {\\"memory\\": \\"1 Gi\\"}}" are no resources (limits.memory is "\\"1 Gi\\"", which is no quantity)',
  ],
  [
    "root",
    { annotations: { user: "0:0" } },
    'mayfly/user: "0:0" is no user; write numbers of user and group, e.g. "1000:1000", and not root\'s, or "inherit"',
  ],
  [
    "a path",
    { annotations: { path: "run" } },
    'mayfly/path: "run" is no path of a folder; write it from the root, e.g. "/run/mayfly", with at most 60 characters',
  ],
  [
    "an image",
    { annotations: { image: "" } },
    'mayfly/image: "" is no image; write registry/repository:tag',
  ],
  [
    "a port of the node",
    { spec: { hostNetwork: true } },
    'mayfly/proxy-orders: 5432 is a port of the whole node, because the pod has hostNetwork; write "socket"',
  ],
  [
    "a socket for an unknown user",
    { annotations: { "proxy-orders": "socket" } },
    "mayfly/proxy-orders: only the agent's own user may enter the socket's folder, and the containers' user is not in the manifest; set mayfly/user to the numbers of the containers' user and group",
  ],
  [
    "a proxy that nothing runs",
    { annotations: { "init-only": "true" } },
    "mayfly/proxy-orders: nothing runs beside the containers with mayfly/init-only; remove one of the two",
  ],
  [
    "a job that would not end",
    { kind: "Job", annotations: { native: "false" } },
    "mayfly/native: a Job would not end while an agent runs beside it; write mayfly/init-only, or use a cluster of 1.29 or later",
  ],
  [
    "Windows",
    { spec: { nodeSelector: { "kubernetes.io/os": "windows" } } },
    "its nodes run Windows (spec.nodeSelector has kubernetes.io/os: windows), and the agent is for Linux; leave out the annotations",
  ],
  [
    "somebody's container of this name",
    { spec: { containers: [{ ...APP, name: "mayfly-agent" }] } },
    'has a container "mayfly-agent" that Mayfly did not add; rename or remove it',
  ],
  [
    "somebody's volume of this name",
    { spec: { volumes: [{ name: "mayfly-agent", emptyDir: {} }] } },
    'has a volume "mayfly-agent" that Mayfly did not add; rename or remove it',
  ],
  [
    "somebody's claim of this name",
    { claims: [{ metadata: { name: "mayfly-agent" } }] },
    'has a volume "mayfly-agent" that Mayfly did not add; rename or remove it',
  ],
  [
    "somebody's volume at this path",
    {
      annotations: { "format-orders": "env" },
      spec: {
        containers: [{ ...APP, volumeMounts: [{ name: "x", mountPath: "/run/mayfly/" }] }],
      },
    },
    'mayfly/path: the container "app" mounts another volume at /run/mayfly; choose another path',
  ],
  [
    "somebody's volume below this path",
    {
      annotations: { "format-orders": "env" },
      spec: {
        containers: [{ ...APP, volumeMounts: [{ name: "x", mountPath: "/run/mayfly/data" }] }],
      },
    },
    'mayfly/path: the container "app" mounts another volume at /run/mayfly/data, and cannot below /run/mayfly, which is read-only; choose another path',
  ],
  ...["/etc", "/proc/x", "/opt/mayfly", "/nodejs/bin", "/tmp"].map(
    (path): readonly [string, Case, string] => [
      `a volume over ${path}`,
      { annotations: { path } },
      `mayfly/path: the volume would hide what else is in ${path}; write a folder of its own`,
    ],
  ),
  [
    "a socket whose path is too long",
    {
      annotations: {
        path: `/${"a".repeat(54)}`,
        "secret-orders-of-the-whole-world-and-more": "x",
        "proxy-orders-of-the-whole-world-and-more": "socket",
      },
      spec: { securityContext: { runAsUser: 1000 } },
    },
    "mayfly/proxy-orders-of-the-whole-world-and-more: the path of its socket would have 104 bytes, and 103 are possible",
  ],
  [
    "a pod that would not end",
    { annotations: { native: "false" }, spec: { restartPolicy: "OnFailure" } },
    "mayfly/native: a Deployment would not end while an agent runs beside it",
  ],
  [
    "two values of one variable",
    {
      annotations: { "lease-orders": "orders/readonly" },
      spec: {
        containers: [
          { ...APP, env: [{ name: "MAYFLY_LEASE_ORDERS_READONLY", value: ARN }] },
          { name: "b", env: [{ name: "MAYFLY_LEASE_ORDERS_READONLY", value: `${ARN}2` }] },
        ],
      },
    },
    'mayfly/lease-orders: MAYFLY_LEASE_ORDERS_READONLY differs in the containers "app" and "b"; write the alias\'s ARN instead',
  ],
  [
    "a variable of something else",
    {
      annotations: { "lease-orders": "orders/readonly" },
      spec: {
        containers: [{ ...APP, env: [{ name: "MAYFLY_LEASE_ORDERS_READONLY", value: "x" }] }],
      },
    },
    'mayfly/lease-orders: MAYFLY_LEASE_ORDERS_READONLY is "x", which is no ARN of an alias',
  ],
  [
    "a request above its limit",
    { annotations: { resources: '{"requests": {"memory": "1Gi"}, "limits": {"memory": "200M"}}' } },
    "mayfly/resources: ",
  ],
  [
    "too little memory",
    { annotations: { resources: '{"limits": {"memory": "64Mi"}}' } },
    "mayfly/resources: ",
  ],
  [
    "a configuration that no variable holds",
    { annotations: { "template-orders": "x".repeat(140_000) } },
    "the agent's configuration has 140",
  ],
  ...(
    [
      [{ os: { name: "windows" } }, "spec.os.name is windows"],
      [
        { nodeSelector: { "beta.kubernetes.io/os": "windows" } },
        "spec.nodeSelector has beta.kubernetes.io/os: windows",
      ],
      [{ securityContext: { windowsOptions: {} } }, "its securityContext has windowsOptions"],
      [
        { containers: [{ ...APP, securityContext: { windowsOptions: {} } }] },
        'the container "app" has windowsOptions',
      ],
      [onNodes("In", ["windows"]), "its node affinity asks for Windows"],
      [onNodes("NotIn", ["linux"]), "its node affinity asks for Windows"],
      [onEither("windows", "windows"), "its node affinity asks for Windows"],
    ] as const
  ).map(([spec, reason]): readonly [string, Case, string] => [
    `Windows by ${JSON.stringify(spec)}`,
    { spec },
    `its nodes run Windows (${reason})`,
  ]),
  [
    "a socket for one of two users",
    {
      annotations: { "proxy-orders": "socket", user: "inherit" },
      spec: { containers: [{ ...APP, securityContext: { runAsUser: 1000 } }] },
    },
    "mayfly/proxy-orders: only the agent's own user may enter the socket's folder, and the container \"app\" has a runAsUser of its own, which mayfly/user: inherit does not follow; remove one of the two",
  ],
  [
    "a socket for two users",
    {
      annotations: { "proxy-orders": "socket" },
      spec: {
        securityContext: { runAsUser: 1000 },
        containers: [APP, { ...APP, name: "db", securityContext: { runAsUser: 999 } }],
      },
    },
    'mayfly/proxy-orders: only the agent\'s own user may enter the socket\'s folder, and the containers "app" and "db" have different users; give them one, or leave one out with mayfly/containers',
  ],
  [
    "a socket for root",
    {
      annotations: { "proxy-orders": "socket" },
      spec: { securityContext: { runAsUser: 0 } },
    },
    "mayfly/proxy-orders: only the agent's own user may enter the socket's folder, and the containers run as root, which the agent does not; set mayfly/user to numbers of another user and group",
  ],
  [
    "a socket of another user's",
    {
      annotations: { "proxy-orders": "socket", user: "1000:1000" },
      spec: { containers: [{ ...APP, securityContext: { runAsUser: 2000 } }] },
    },
    "mayfly/proxy-orders: only the agent's own user may enter the socket's folder, and mayfly/user is 1000, but the container \"app\" runs as 2000; give both one user, or leave the container out with mayfly/containers",
  ],
  [
    "a pgpass of another user's",
    {
      annotations: { "format-orders": "pgpass", user: "1000:1000" },
      spec: { securityContext: { runAsUser: 2000 } },
    },
    "mayfly/format-orders: libpq reads pgpass only if it is for one user alone, and mayfly/user is 1000, but",
  ],
  [
    "a number that is no user's",
    { annotations: { user: "2147483648:0" } },
    'mayfly/user: "2147483648:0" is no user',
  ],
  [
    "root by the pod",
    { annotations: { user: "inherit" }, spec: { securityContext: { runAsUser: 0 } } },
    'mayfly/user: "inherit" is root here, by the pod\'s runAsUser, and the agent does not run as root; write numbers of user and group',
  ],
])("%s is refused with a remedy", async (_, wrong, message) => {
  const problems = await problemsOf(manifest(wrong));
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(`web.yaml, ${wrong.kind ?? "Deployment"}/web: ${message}`);
});

test.each([
  [{ "proxy-orders": "socket", user: "1000650000:0" }, {}],
  [{ "proxy-orders": "socket", user: "2147483647:2147483647" }, {}],
  [{ "proxy-orders": "socket", user: "1000:1000" }, { securityContext: { runAsUser: 0 } }],
  [
    { "proxy-orders": "socket" },
    {
      securityContext: { runAsUser: 1000 },
      containers: [APP, { ...APP, name: "b", securityContext: { runAsGroup: 7 } }],
    },
  ],
])("a socket with %j is for the user that it says", async (annotations, spec) => {
  expect(await problemsOf(manifest({ annotations, spec }))).toEqual([]);
});

test.each([
  onEither("windows", "linux"),
  onEither("windows", undefined),
  { securityContext: { windowsOptions: null } },
  onNodes("In", ["linux"]),
  onNodes("In", ["linux", "windows"]),
  onNodes("NotIn", ["windows"]),
  onNodes("In", ["windows"], "example.com/os"),
  { os: { name: "linux" }, nodeSelector: { "kubernetes.io/os": "linux" } },
])("nodes of Linux are not those of Windows", async (spec) => {
  expect(await problemsOf(manifest({ spec }))).toEqual([]);
});

test.each(["5432", "0x1f", "1_000", "1.5", ".5", "1e3", "on", "Yes", "~", "null", ""])(
  "%s without quotes is refused, as Kubernetes would",
  async (value) => {
    const text = yamlPod(`mayfly/path: ${value}`);
    expect((await problemsOf(text))[0]).toMatch(/^web.yaml, Pod\/p: mayfly\/path: .* in quotes/);
  },
);

test.each(["30d", "2h", "app,web", "orders/readonly", "1.2.3", "12ab"])(
  "%s without quotes is a text",
  async (value) => {
    expect(String(await problemsOf(yamlPod(`mayfly/file-a: ${value}`)))).not.toMatch("quotes");
  },
);

test("a file with a byte order mark, and one of many documents", async () => {
  const pod = yamlPod("mayfly/path: /run/x");
  const made = async (text: string) => (await inject(text, { file: "x", image: "i:1" })).text;
  const alone = await made(pod);
  expect(await made(`\uFEFF${pod}`)).toBe(`\uFEFF${alone}`);
  const others = "---\nkind: Service\nspec: {ports: [{port: 1}]}\n".repeat(5_000);
  expect(await made(`${others}---\n${pod}${others}`)).toBe(`${others}---\n${alone}${others}`);
});

test("an image must be named", async () => {
  expect(await problemsOf(manifest({}), "")).toEqual([
    "web.yaml, Deployment/web: no image of the agent is named; write mayfly/image, or give --image",
  ]);
  expect(await problemsOf(manifest({ annotations: { image: "i:2" } }), "")).toEqual([]);
});

test("all problems are told at once, with file and document, and nothing is written", async () => {
  const wrong = manifest({ annotations: { "lese-a": "x", "proxy-orders": "0" } });
  const files = [
    { file: "a.yaml", text: `kind: X\n---\n${wrong}\n` },
    { file: "b.yaml", text: manifest({ annotations: { native: "no" } }) },
    { file: "c.yaml", text: "mayfly/inject: {\n" },
  ];
  const failed = await injectAll(files, { image: "i:1" }).catch((error: unknown) => error);
  expect(
    String(failed)
      .split("\n")
      .map((line) => line.split(": ").slice(-3, -1).join(": ")),
  ).toEqual([
    "a.yaml, document 2, Deployment/web: mayfly/lese-a",
    "a.yaml, document 2, Deployment/web: mayfly/proxy-orders",
    "b.yaml, Deployment/web: mayfly/native",
    expect.stringMatching(/^c.yaml: line \d$/),
  ]);
});

test("annotations at the workload instead of its pods are refused", async () => {
  const text = `apiVersion: apps/v1
kind: Deployment
metadata: { name: web, annotations: { mayfly/inject: "true" } }
spec: { template: { spec: { containers: [{ name: app }] } } }
`;
  expect(await problemsOf(text)).toEqual([
    "web.yaml, Deployment/web: mayfly/inject: stands at the Deployment; write it at spec.template.metadata.annotations",
  ]);
});

test.each([
  ["a pod that does not want it", manifest({ annotations: { inject: "false" } }), []],
  [
    "a pod that may have forgotten it",
    manifest({ annotations: { inject: null } }),
    [
      'web.yaml, Deployment/web: has annotations of Mayfly\'s, but not mayfly/inject: "true"; left as it is',
    ],
  ],
  [
    "pods that stand elsewhere",
    manifest({}).replace("apps/v1", "apps.kruise.io/v1").replace('"template"', '"pods"'),
    [
      "web.yaml, Deployment/web: has mayfly/inject, but no pods where Mayfly looks for them; left as it is. It knows Pod, ReplicationController, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, and every other kind with spec.template.spec.containers",
    ],
  ],
  ["keys twice in what is not about Mayfly", "data: { a: /run/mayfly/x, a: b }", []],
  ["what is no YAML, and not about Mayfly", "a: [\n\t", []],
  ["nothing", "", []],
])("%s stays to the byte", async (_, text, messages) => {
  expect(await inject(text, { file: "web.yaml" })).toEqual({ text, messages, resources: [] });
});

test("an anchor that only one of two containers is to follow is refused", async () => {
  const text = `apiVersion: v1
kind: Pod
metadata:
  name: p
  annotations: { mayfly/inject: "true", mayfly/secret-a: a, mayfly/format-a: env, mayfly/containers: a }
spec:
  containers:
  - { name: a, image: i, volumeMounts: &m [{ name: x, mountPath: /x }] }
  - { name: b, image: i, volumeMounts: *m }
`;
  expect(await problemsOf(text)).toEqual([
    "web.yaml, Pod/p: what Mayfly adds cannot be written here without a change to something else; write out anchors, aliases and << of the pod template",
  ]);
});

test("several files are one stream", async () => {
  const texts = ["kind: A", "---\nkind: B\n", '{"kind": "C"}'];
  const files = texts.map((text, index) => ({ file: `${index}`, text }));
  const { text } = await injectAll(files, {});
  expect(text).toBe('kind: A\n---\nkind: B\n---\n{"kind": "C"}');
});

test("a file that ends in an open text is not put before another", async () => {
  const open = "kind: A\ndata:\n  a: |\n    x";
  const files = (first: string) => [
    { file: "a.yaml", text: `kind: B\n---\n${first}` },
    { file: "b.yaml", text: open },
  ];
  await expect(injectAll(files(open), {})).rejects.toThrow(
    "a.yaml: ends in a block of text without a line end, which the next file would give it; end the file with one, or name it last",
  );
  for (const first of [`${open}\n`, open.replace("|", "|-"), `${open}\n# y`]) {
    const { text } = await injectAll(files(first), {});
    expect(text).toBe(`kind: B\n---\n${first}${first.endsWith("\n") ? "" : "\n"}---\n${open}`);
  }
});

test("annotations of another language are replaced, and then injected", async () => {
  const seen: unknown[] = [];
  const translation: Translation = {
    prefix: "example.com/",
    translate: ({ place, annotations }) => {
      seen.push([place.name, annotations.map(({ position }) => position)]);
      const { "example.com/role": role = "", ...others } = Object.fromEntries(
        annotations.map(({ name, value }) => [name, value]),
      );
      return {
        annotations: {
          ...others,
          "mayfly/inject": "true",
          "mayfly/secret-a": role,
          "mayfly/format-a": "env",
        },
        messages: ["role became a secret"],
        problems: [],
      };
    },
  };
  const text = `kind: Pod
apiVersion: v1
metadata:
  name: p
  annotations:
    # kept
    kept: "1"
    example.com/role: app # gone
spec:
  containers: [{ name: a, image: i }]
`;
  const made = await inject(text, { file: "p.yaml", image: "i:1", translation });
  const lines = [7, 8].map((line) => ({ line, column: 5 }));
  expect(seen).toEqual([["p", lines]]);
  expect(made.messages).toEqual(["role became a secret"]);
  expect(made.text).toContain(`    # kept
    kept: "1"
    mayfly/inject: "true"
    mayfly/secret-a: "app"
    mayfly/format-a: "env"
    mayfly/injected: "true" # gone
spec:
`);
  expect((await inject(made.text, { file: "p.yaml", image: "i:1", translation })).text).toBe(
    made.text,
  );
});
