import { expect, test } from "vitest";
import { inject } from "../../../client/kubernetes/inject.ts";
import { injectAll } from "../../../client/kubernetes/inject-all.ts";
import { ManifestError } from "../../../client/kubernetes/manifest/problem.ts";
import { readYaml } from "../../../client/kubernetes/manifest/read-yaml.ts";

/** What go-yaml 2 makes of these, by sigs.k8s.io/yaml. */
test.each([
  ["a: yes", "true"],
  ["a: Y", "true"],
  ["a: On", "true"],
  ["a: TRUE", "true"],
  ["a: !!bool yes", "true"],
  ["a: nO", "nO"],
  ["a: N", "false"],
  ['a: "yes"', "yes"],
  ["a: !!str yes", "yes"],
  ["a: ~", ""],
  ["a:", ""],
  ["a: Null", ""],
  ["a: 0400", "256"],
  ["a: 0o14", "12"],
  ["a: 012470", "5432"],
  ["a: 5_432", "5432"],
  ["a: -0x1F", "-31"],
  ["a: 0b11", "3"],
  ["a: 08", "8"],
  ["a: 1e3", "1000"],
  ["a: 5432.0", "5432"],
  ["a: 1:30", "1:30"],
  ["a: 2001-01-01", "2001-01-01"],
  ["a: 1\n<<: {a: 2}", "2"],
  ["<<: {a: 2}\na: 1", "1"],
  ["<<: [{a: 1}, {a: 2}]", "1"],
  ["x: &x on\na: *x", "true"],
  ["x: &x {a: on}\n<<: *x", "true"],
  ['"<<": {a: 1}\na: 2', "2"],
])("%j is read as Kubernetes reads it", (text, a) => {
  expect(readYaml(text).written).toMatchObject({ a });
});

test("aliases that stand for too much, or for nothing, are told", () => {
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (const [before, name] of ["ab", "bc", "cd", "de", "ef", "fg", "gh"])
    bomb.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(", ")}]`);
  expect(readYaml(bomb.join("\n")).error?.message).toContain("it has over 2000000 values");
  expect(readYaml("a: *b").error?.message).toContain("no &b before it");
});

test.each([
  ["a: |\n  x", "x"],
  ["a: >\n  x\n  y", "x y"],
  ["a: |+\n  x\n  ", "x\n"],
  ["a: |\n  x\n    ", "x\n  "],
  ["a: |-\n  x", "x"],
  ["a: |\n  x\n", "x\n"],
  ["a: |\n  x\n# no part of it", "x\n"],
  ["a: |\r\n  x", "x"],
])("%j has the line end that it has to Kubernetes", (text, a) => {
  expect(readYaml(text).written).toEqual({ a });
});

const ANNOTATIONS = {
  inject: '"true"',
  "secret-orders": "x",
  "proxy-orders": '"5432"',
};

function pod(spec: string, annotations: Readonly<Record<string, string>> = ANNOTATIONS): string {
  const lines = Object.entries(annotations).map(
    ([name, value]) => `    mayfly/${name}: ${value}\n`,
  );
  return `apiVersion: v1
kind: Pod
metadata:
  name: p
  annotations:
    other: x
${lines.join("")}spec:
${spec}`;
}

const APP = "  containers:\n    - name: app\n      image: x\n";

const made = async (text: string) => inject(text, { file: "p.yaml", image: "i:1" });

async function problemOf(text: string): Promise<string> {
  const error: unknown = await made(text).catch((failed: unknown) => failed);
  return error instanceof ManifestError ? error.message : "none";
}

const ARGS = `${APP}      args:\n        - --x\n        - |\n          a\n          b`;
const OTHER_FILE = { inject: '"true"', "secret-orders": "x", "format-orders": "env" };

test.each(["\n", "\r\n"])(
  "a text that ends the file without a line end gets none, with %j",
  async (end) => {
    const before = pod(ARGS, OTHER_FILE).replaceAll("\n", end);
    const { text } = await made(before);
    expect(text.endsWith(`${end}          a${end}          b`)).toBe(true);
    const [lines, all] = [before.split(end), text.split(end)];
    expect(lines.filter((line) => !all.includes(line))).toEqual([]);
    expect((await made(text)).text).toBe(text);
    const off = (manifest: string) => manifest.replace('inject: "true"', 'inject: "false"');
    expect((await made(off(text))).text).toBe(off(before));
  },
);

test("an annotation gets none either, nor the only key of a map", async () => {
  const [head = "", spec = ""] = pod(APP).split(/(?=^metadata:)/m);
  const [metadata = "", rest = ""] = spec.split(/(?=^spec:)/m);
  const template = `${rest}${head}${metadata}    mayfly/template-orders: |\n      {{username}}`;
  expect((await made(template)).text).toMatch(/ {6}\{\{username\}\}$/);
  expect((await made(template)).text).toContain('"contents": "{{username}}",');
  const only = pod("  containers:\n    - name: |\n        app", OTHER_FILE);
  expect((await made(only)).text).toMatch(/- volumeMounts:\n(?: {6}.*\n)+ {6}name: \|\n {8}app$/);
});

test("where it would get one, the remedy is told", async () => {
  const old = { ...ANNOTATIONS, native: '"false"' };
  expect(await problemOf(pod(ARGS, old))).toContain("; end the file with a line end, or write out");
  expect(await problemOf(pod(`${ARGS}\n`, old))).toBe("none");
});

test.each(["true", "True", "yes", "Y", "on", "!!bool yes", "&a on"])(
  "hostNetwork: %s opens no port on the node",
  async (value) => {
    expect(await problemOf(pod(`  hostNetwork: ${value}\n${APP}`))).toContain(
      "is a port of the whole node",
    );
    expect(
      await problemOf(pod(`  hostNetwork: false\n  <<: {hostNetwork: ${value}}\n${APP}`)),
    ).toContain("is a port of the whole node");
  },
);

test("annotations by an alias or a merge are no texts either, and !!str is one", async () => {
  const merged = pod(APP).replace("    other: x", "    <<: {mayfly/ttl-orders: 5}");
  expect(await problemOf(merged)).toContain('5 is no text to Kubernetes; write it in quotes, "5"');
  const alias = `x: &x 5432\n${pod(APP, { ...ANNOTATIONS, "proxy-orders": "*x" })}`;
  expect(await problemOf(alias)).toContain("5432 is no text to Kubernetes");
  expect(await problemOf(pod(APP, { ...ANNOTATIONS, "proxy-orders": "!!str 5432" }))).toBe("none");
});

test.each(["\u2028", "\u0085", "\uFEFF"])(
  "a raw %j is told, where Kubernetes reads otherwise",
  async (end) => {
    expect(await problemOf(pod(`  # x${end}\n${APP}`))).toContain(
      "which Kubernetes reads otherwise",
    );
  },
);

test.each(["\u2028", "\u2029", "\u0085", "\u007F", "\uFEFF"])(
  "%j, which its parser cannot read, is written as an escape",
  async (character) => {
    const code = `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    const annotations = { ...ANNOTATIONS, "template-orders": `"a${code}{{username}}"` };
    const { text } = await made(pod(APP, annotations));
    expect(text).not.toContain(character);
    expect((await made(text)).text).toBe(text);
    expect(JSON.stringify(readYaml(text).written)).toContain(`contents\\": \\"a${character}`);
  },
);

test("a user that is inherited is not written, and sockets are for it", async () => {
  const inherit = {
    ...ANNOTATIONS,
    "proxy-orders": "socket",
    "format-p": "pgpass",
    "from-p": "orders",
    user: "inherit",
  };
  const { text } = await made(pod(APP, inherit));
  expect(text).not.toMatch(/runAs(?:User|Group)/);
  expect(text).toContain("runAsNonRoot: true");
  const { text: again } = await made(text.replace("user: inherit", 'user: "7:8"'));
  expect(again).toMatch(/runAsUser: 7\n +runAsGroup: 8\n/);
});

test("a secret's name in Secrets Manager may look like a configuration's", async () => {
  const secret = async (id: string) =>
    (await made(pod(APP, { ...ANNOTATIONS, "secret-orders": id }))).text;
  expect(await secret("name:orders/reports")).toContain('"id": "orders/reports"');
  for (const id of ["prod/orders/app", "Orders/app", "orders-app"])
    expect(await secret(id)).toContain(`"id": "${id}"`);
});

test("a group that is null is none", async () => {
  const files = { ...ANNOTATIONS, "format-orders": "env" };
  const of = async (group: string) =>
    (await made(pod(`  securityContext: {fsGroup: ${group}}\n${APP}`, files))).text;
  expect(await of("~")).toContain('"mode": "0644"');
  expect(await of("10")).toContain('"mode": "0640"');
});

test("without files, no container writes them first", async () => {
  const { text } = await made(pod(APP, { ...ANNOTATIONS, native: '"false"' }));
  expect(text).not.toContain("--once");
  expect(text).not.toContain("initContainers");
});

test.each(["\n", "\r\n"])("from files to a proxy in a cluster of old, with %j", async (end) => {
  const files = { inject: '"true"', "secret-orders": "x", "format-orders": "env" };
  const old = { ...ANNOTATIONS, native: '"false"' };
  const before = (await made(pod(APP, files).replaceAll("\n", end))).text;
  const lines = (all: Readonly<Record<string, string>>): string =>
    Object.entries(all)
      .map(([name, value]) => `    mayfly/${name}: ${value}${end}`)
      .join("");
  const { text } = await made(before.replace(lines(files), lines(old)));
  const { text: clean } = await made(pod(APP, old));
  const other = readYaml(clean).written;
  expect(readYaml(text).written).toEqual(other);
});

test.each([
  ["a key with a question mark", "  ? containers\n  :\n    - ? name\n      : app\n"],
  ["a key with an anchor", "  containers:\n    - &a name: app\n"],
])("%s", async (_, spec) => {
  const files = { inject: '"true"', "secret-orders": "x", "format-orders": "env" };
  expect((await made(pod(spec, files))).text).toContain("volumeMounts:");
});

test.each(["without it", '"false"'])("mayfly/inject %s removes the agent", async (value) => {
  const clean = pod(APP, { ...ANNOTATIONS, "format-orders": "env" });
  const { text } = await made(clean);
  const off = (all: string): string =>
    value === "without it"
      ? all.replace('    mayfly/inject: "true"\n', "")
      : all.replace('inject: "true"', `inject: ${value}`);
  const removed = await made(off(text));
  expect(removed.messages).toEqual([
    'p.yaml, Pod/p: mayfly/inject is not "true"; the agent is removed',
  ]);
  expect(removed.text).toBe(off(clean));
});

test.each([
  ["in lines", (json: object) => JSON.stringify(json, null, 2)],
  ["in one line", (json: object) => JSON.stringify(json)],
])("the agent is removed from JSON %s", async (_, written) => {
  const clean = written({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "p",
      annotations: {
        "mayfly/inject": "true",
        "mayfly/secret-orders": "x",
        "mayfly/format-orders": "env",
      },
    },
    spec: { containers: [{ name: "app", image: "app:1" }] },
  });
  const { text } = await made(clean);
  const off = (all: string): string => all.replace(/("mayfly\/inject": ?)"true"/, '$1"false"');
  expect((await made(off(text))).text).toBe(off(clean));
});

test("documents of JSON with nothing between them are refused with a remedy", async () => {
  const one = '{"kind": "Pod", "metadata": {"annotations": {"mayfly/inject": "true"}}}';
  await expect(made(`${one}\n${one}`)).rejects.toThrow(
    'p.yaml: line 2: Unexpected flow-map-start at node end; correct the YAML, or write "---" before each document of JSON',
  );
});

test("files of JSON and others are one stream that Kubernetes does not take for JSON alone", async () => {
  const json = JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } });
  const files = [json, "a: 1\n"].map((text, index) => ({ file: `${index}`, text }));
  expect((await injectAll(files, {})).text).toBe(`---\n${json}\n---\na: 1\n`);
  expect((await injectAll([{ file: "a.json", text: json }], {})).text).toBe(json);
});

test("nothing but the mark is left, or not even that", async () => {
  const { text } = await made(pod(APP, { ...ANNOTATIONS, "format-orders": "env" }));
  const marked = text.replaceAll(/ {4}(?:other|mayfly\/(?!injected)).*\n/g, "");
  const removed = await made(marked);
  expect(readYaml(removed.text).written).toMatchObject({ metadata: { annotations: {} } });
  expect(removed.text).not.toContain("mayfly");
  const unmarked = text.replaceAll(/ {4}mayfly\/.*\n/g, "");
  const left = await made(unmarked);
  expect(left.text).toBe(unmarked);
  expect(left.messages[0]).toContain("has an agent, but neither");
});

test("a container that is only called as the agent is nobody's to remove", async () => {
  const own = pod(`${APP}    - name: mayfly-agent\n      image: mine\n`, {
    ...ANNOTATIONS,
    injected: '"true"',
  });
  expect(await problemOf(own)).toContain('has a container "mayfly-agent" that Mayfly did not add');
  const { text } = await made(own.replace('inject: "true"', 'inject: "false"'));
  expect(text).toContain("image: mine");
});

test("the agent comes before init containers that were added after it", async () => {
  const { text } = await made(pod(`${APP}  initContainers:\n    - name: migrate\n`));
  const added = text.replace("  initContainers:\n", "  initContainers:\n    - name: first\n");
  const names = (await made(added)).text.matchAll(/^ {4}- name: (\S+)/gm);
  expect([...names].map(([, name]) => name)).toEqual(["app", "mayfly-agent", "first", "migrate"]);
});

test("the last of two variables of one name counts, and UDP is not TCP", async () => {
  const arn = (name: string) => `arn:aws:lambda:eu-west-1:111122223333:function:issuer:${name}`;
  const env = ["a", "b"].map((name) => `{name: MAYFLY_LEASE_A_B, value: "${arn(name)}"}`);
  const spec = `${APP}      env: [${env.join(", ")}]\n      ports: [{containerPort: 5432, protocol: UDP}]\n`;
  const annotations = { inject: '"true"', "lease-orders": "a/b", "proxy-orders": '"5432"' };
  const { text } = await made(pod(spec, annotations));
  expect(text.split("name: MAYFLY_LEASE_ORDERS")[1]).toContain(arn("b"));
});

test("other kinds with a pod template are injected, and marks of byte order go", async () => {
  const text = pod(APP)
    .replace(
      /apiVersion: v1\nkind: Pod/,
      "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec:\n  template:",
    )
    .replace(/(?<=template:\n)[\s\S]*/, (all) => all.replaceAll(/^(?=.)/gm, "    "));
  const { text: both, resources } = await injectAll(
    [text, `\uFEFF${text}`].map((each, index) => ({ file: `${index}`, text: each })),
    { image: "i:1" },
  );
  expect(resources.map(({ kind }) => kind)).toEqual(["Rollout", "Rollout"]);
  expect(both).not.toContain("\uFEFF");
});

test.each(["\\/", "\\u002f"])("a slash that is written as %s is one", async (slash) => {
  const names = Object.entries(ANNOTATIONS).map(
    ([name, value]) => `"mayfly${slash}${name}": ${value.startsWith('"') ? value : `"${value}"`}`,
  );
  const text = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"annotations": {${names.join(", ")}}}, "spec": {"containers": [{"name": "a"}]}}`;
  expect((await made(text)).resources).toHaveLength(1);
});
