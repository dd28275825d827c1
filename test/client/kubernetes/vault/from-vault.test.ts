import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { inject } from "../../../../client/kubernetes/inject.ts";
import { ManifestError } from "../../../../client/kubernetes/manifest/problem.ts";
import { parseTargets } from "../../../../client/kubernetes/vault/vault-targets.ts";
import { vaultTranslation } from "../../../../client/kubernetes/vault/vault-translation.ts";

const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";
const TUTORIAL = readFileSync(
  join(import.meta.dirname, "../../../../examples/from-vault/deployment.yaml"),
  "utf8",
);

const fromVault = (text: string, map: readonly string[] = [`database/creds/readonly=${ARN}`]) =>
  inject(text, {
    file: "deploy.yaml",
    image: "registry.example.com/mayfly-agent:1",
    translation: vaultTranslation(parseTargets(map)),
  });

async function problemsOf(text: string, map?: readonly string[]): Promise<readonly string[]> {
  try {
    await fromVault(text, map);
  } catch (error) {
    if (error instanceof ManifestError) return error.message.split("\n");
    throw error;
  }
  throw new Error("nothing is wrong");
}

test("the tutorial's Deployment: each line is told, its file is the same, and no annotation of Vault's is left", async () => {
  const { text, messages } = await fromVault(TUTORIAL);
  expect(
    messages.map((line) => line.replace("deploy.yaml, Deployment/user-service: ", "")),
  ).toEqual([
    "line 26: vault.hashicorp.com/agent-inject: now mayfly/inject",
    "line 27: vault.hashicorp.com/role: not needed: the IAM role of the service account user-service says who asks",
    "line 28: vault.hashicorp.com/agent-inject-secret-db-creds.txt: not needed: its template says which secrets are in the file",
    "line 29: vault.hashicorp.com/agent-inject-template-db-creds.txt: now mayfly/template-db-creds.txt, mayfly/from-db-creds.txt",
    `mayfly/lease-app--readonly: ${ARN}, for database/creds/readonly; mayfly/proxy-app--readonly: host 127.0.0.1, port 5432, sslmode=disable`,
  ]);
  expect(text).not.toContain("vault.hashicorp.com");
  const { spec } = parse(text).spec.template;
  expect(spec.containers).toEqual([
    {
      ...parse(TUTORIAL).spec.template.spec.containers[0],
      volumeMounts: [{ name: "mayfly-agent", mountPath: "/vault/secrets", readOnly: true }],
    },
  ]);
  const [{ env }] = spec.initContainers;
  const { files } = JSON.parse(env[0].value);
  expect(files).toEqual([
    {
      path: "/vault/secrets/db-creds.txt",
      from: "app--readonly",
      contents: "DB_USERNAME={{username}}\nDB_PASSWORD={{password}}\n",
      mode: "0644",
    },
  ]);
});

test("twice translated is once translated", async () => {
  const { text } = await fromVault(TUTORIAL);
  expect(await fromVault(text)).toMatchObject({ text, messages: [] });
  expect(
    (await inject(text, { file: "deploy.yaml", image: "registry.example.com/mayfly-agent:1" }))
      .text,
  ).toBe(text);
});

const pod = (annotations: string): string => `kind: Pod
apiVersion: v1
metadata:
  annotations:
${annotations}
spec: { containers: [{ name: app, image: app }] }
`;

const V = "vault.hashicorp.com/";

test.each([
  [
    "the last annotation is Vault's",
    pod(
      `    mine: here # kept\n    ${V}agent-inject: "true"\n    # a comment\n    ${V}agent-inject-secret-db: database/creds/readonly`,
    ),
  ],
  [
    "there is nothing but Vault's, one of them in the middle",
    pod(
      `    ${V}agent-inject: "true"\n    mine: here\n    ${V}agent-inject-secret-db: >\n      database/creds/readonly\n`,
    ),
  ],
  [
    "it is JSON",
    JSON.stringify(
      parse(
        pod(
          `    mine: here\n    ${V}agent-inject: "true"\n    ${V}role: x\n    ${V}agent-inject-secret-db: database/creds/readonly`,
        ),
      ),
    ),
  ],
  [
    "it is JSON in lines",
    JSON.stringify(
      parse(
        pod(
          `    ${V}agent-inject: "true"\n    ${V}role: x\n    mine: here\n    ${V}tls-secret: x\n    ${V}agent-inject-secret-db: database/creds/readonly`,
        ),
      ),
      null,
      2,
    ),
  ],
  [
    "it has Windows' lines",
    pod(
      `    ${V}agent-inject: "true"\n    mine: here\n    ${V}agent-inject-secret-db: database/creds/readonly`,
    ).replaceAll("\n", "\r\n"),
  ],
])("Mayfly's annotations take the places of Vault's when %s", async (_when, text) => {
  const once = await fromVault(text);
  expect(once.text).not.toContain(V);
  const { metadata } = parse(once.text);
  expect(metadata.annotations).toMatchObject({
    mine: "here",
    "mayfly/inject": "true",
    "mayfly/from-db": "app--readonly",
  });
  expect((await fromVault(once.text)).text).toBe(once.text);
});

test.each([
  ["before", (own: string, vaults: string) => `${own}\n${vaults}`],
  ["behind", (own: string, vaults: string) => `${vaults}\n${own}`],
])("twice translated is once translated with logins of one's own %s Vault's", async (_, joined) => {
  const own = `    mayfly/lease-own: ${ARN}\n    mayfly/proxy-own: "6000"\n    mayfly/format-own: env`;
  const vaults = `    ${V}agent-inject: "true"\n    mine: here\n    ${V}agent-inject-secret-db: database/creds/readonly`;
  const text = pod(joined(own, vaults));
  for (const each of [text, JSON.stringify(parse(text))]) {
    const once = await fromVault(each);
    expect((await fromVault(once.text)).text).toBe(once.text);
  }
});

test("problems of what became of Vault's annotations name those, with their lines", async () => {
  const secret = `    ${V}agent-inject-secret-db: database/creds/readonly`;
  const of = (more: string, map?: readonly string[]): Promise<readonly string[]> =>
    problemsOf(pod(`${HEAD}${secret}${more}`), map);
  const at = "deploy.yaml, Pod: line";
  expect(await of(`\n    ${V}agent-inject-perms-db: "09"`)).toEqual([
    expect.stringMatching(`^${at} 7, column 5: ${V}agent-inject-perms-db, now mayfly/mode-db: `),
  ]);
  expect(await of(`\n    ${V}agent-limits-mem: lots`)).toEqual([
    expect.stringMatching(`^${at} 7, column 5: ${V}agent-limits-mem, now mayfly/resources: `),
  ]);
  expect(await of(`\n    ${V}agent-inject-containers: web`)).toEqual([
    expect.stringMatching(
      `^${at} 7, column 5: ${V}agent-inject-containers, now mayfly/containers: there is no`,
    ),
  ]);
  expect(await of("", ["database/creds/readonly=orders/readonly"])).toEqual([
    expect.stringMatching(
      "^deploy.yaml, Pod: --map database/creds/readonly, now mayfly/lease-orders-readonly: no container has",
    ),
  ]);
  const one = `\n    ${V}agent-inject-secret-x: database/creds/readonly\n    ${V}agent-inject-file-x: db`;
  expect(await of(one)).toEqual([
    expect.stringMatching(
      `^${at} 8, column 5: ${V}agent-inject-file-x, now mayfly/file-x: "db" is`,
    ),
  ]);
  // one's own is named as it is
  expect(await of(`\n    mayfly/mode-db: "09"`)).toEqual([
    expect.stringMatching("^deploy.yaml, Pod: mayfly/mode-db: "),
  ]);
});

const HEAD = `    ${V}agent-inject: "true"\n`;

/** Templates in every style of YAML, with the line and the column of what is refused. */
test.each([
  [
    "a block",
    `    ${V}agent-inject-template-db: |\n      {{ with secret "database/creds/readonly" }}\n        A={{ env "A" }}\n      {{ end }}`,
    "line 8, column 11",
  ],
  [
    "a block with its indent",
    `    ${V}agent-inject-template-db: |2-\n\n        {{ env "A" }}`,
    "line 8, column 9",
  ],
  [
    "a folded block",
    `    ${V}agent-inject-template-db: >-\n      {{- with secret\n      "database/creds/readonly" -}}\n\n      A={{ env "A" }}{{ end }}`,
    "line 10, column 9",
  ],
  [
    "double quotes",
    `    ${V}agent-inject-template-db: "{{ with secret \\"database/creds/readonly\\" }}\\n\\u0041\\t{{ env \\"A\\" }}\\n{{ end }}"`,
    "line 6, column 107",
  ],
  [
    "double quotes with codes",
    `    ${V}agent-inject-template-db: "\\x20\\u0020\\U00000020\\u00e9\\U0001F600\\N\\x41 {{ env \\"A\\" }}"`,
    "line 6, column 95",
  ],
  [
    "double quotes in lines",
    `    ${V}agent-inject-template-db: "{{ with secret \\"database/creds/readonly\\" }}\\n\\\n      A={{ env \\"A\\" }}\n      {{ end }}"`,
    "line 7, column 9",
  ],
  [
    "single quotes",
    `    ${V}agent-inject-template-db: '{{ with secret "database/creds/readonly" }}''{{ env "A" }}{{ end }}'`,
    "line 6, column 97",
  ],
  [
    "single quotes in lines",
    `    ${V}agent-inject-template-db: '{{ with secret "database/creds/readonly" }}\n\n      {{ env "A" }}{{ end }}'`,
    "line 8, column 7",
  ],
  ["no quotes", `    ${V}agent-inject-template-db: a {{ env "A" }}`, "line 6, column 53"],
])("a refused action is told with line and column: %s", async (_style, text, place) => {
  for (const newline of ["\n", "\r\n"]) {
    const file = pod(HEAD + text).replaceAll("\n", newline);
    const [problem = ""] = await problemsOf(file);
    expect(problem).toMatch(
      new RegExp(`^deploy\\.yaml, Pod: ${place}: ${V}agent-inject-template-db: "env" is not`),
    );
    // and it is the action that stands there
    const [, line = "", column = ""] = /line (\d+), column (\d+)/.exec(problem) ?? [];
    expect(file.split("\n")[Number(line) - 1]?.slice(Number(column) - 1)).toMatch(/^\{\{ env/);
  }
});

test("lines count from the beginning of the file, also in later documents and lists", async () => {
  const list = `kind: List\napiVersion: v1\nitems:\n- ${pod(`${HEAD}    ${V}agent-inject-token: "true"`).trimEnd().replaceAll("\n", "\n  ")}\n`;
  const problems = await problemsOf(`${TUTORIAL}---\n${list}`);
  const at = `${TUTORIAL}---\n${list}`
    .split("\n")
    .findIndex((line) => line.includes("inject-token"));
  expect(problems).toContainEqual(
    expect.stringContaining(
      `document 2, Pod: line ${at + 1}, column 7: ${V}agent-inject-token: there is no token`,
    ),
  );
});

test("all that is wrong is told at once, and paths without a login with it", async () => {
  const text = pod(
    `${HEAD}    ${V}agent-inject-token: "true"\n    ${V}agent-inject-secret-a: database/creds/a\n    ${V}unheard-of: x`,
  );
  const problems = await problemsOf(text);
  expect(problems.map((line) => /vault\.hashicorp\.com\/([\w-]+)/.exec(line)?.[1])).toEqual([
    "agent-inject-token",
    "agent-inject-secret-a",
    "unheard-of",
  ]);
});

test("a pod that Vault, or the user, leaves alone stays to the byte", async () => {
  const off = pod(`    ${V}agent-inject: "false"\n    ${V}role: x`);
  expect(await fromVault(off)).toMatchObject({
    text: off,
    messages: [expect.stringContaining("Vault would not change it; left as it is")],
  });
  const own = pod(
    `${HEAD}    ${V}agent-inject-secret-db: database/creds/readonly\n    mayfly/inject: "false"`,
  );
  expect(await fromVault(own)).toMatchObject({
    text: own,
    messages: [expect.stringContaining('mayfly/inject is "false"; left as it is')],
  });
});
