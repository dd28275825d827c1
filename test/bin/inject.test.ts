import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, expect, test } from "vitest";
import { main } from "../../bin/commands/main.ts";

const folder = mkdtempSync(join(tmpdir(), "mayfly-inject-"));
afterAll(() => rmSync(folder, { recursive: true }));

const POD = `kind: Pod
apiVersion: v1
metadata:
  name: p
  annotations: { mayfly/inject: "true", mayfly/secret-a: a, mayfly/proxy-a: "5432" }
spec:
  containers: [{ name: app, image: app }]
`;

async function mayfly(argv: readonly string[], stdin?: string) {
  const [out, err]: [string[], string[]] = [[], []];
  const status = await main(["inject", ...argv], {
    in:
      stdin === undefined
        ? Object.assign(Readable.from([]), { isTTY: true })
        : Readable.from([stdin]),
    out: { write: (text: string) => out.push(text) },
    err: { write: (text: string) => err.push(text) },
  });
  return { status, out: out.join(""), err: err.join("") };
}

function fileOf(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("stdin is read, stdout is the manifests, and nothing else is said", async () => {
  const made = await mayfly(["--image", "agent:1"], `kind: A\n---\n${POD}`);
  expect(made).toMatchObject({ status: 0, err: "" });
  expect(made.out).toMatch(/^kind: A\n---\nkind: Pod\n/);
  expect(made.out).toContain("- name: mayfly-agent\n");
  expect(await mayfly(["-f", "-", "--image", "agent:1"], made.out)).toEqual(made);
});

test("several files are one stream", async () => {
  const [a, b] = [fileOf("a.yaml", "kind: A"), fileOf("b.yaml", "kind: B\n")];
  expect(await mayfly(["-f", a, "--filename", b])).toEqual({
    status: 0,
    out: "kind: A\n---\nkind: B\n",
    err: "",
  });
});

test("a mistake in one of several files is told, and none is written", async () => {
  const [a, b] = [fileOf("a.yaml", "kind: A"), fileOf("b.yaml", POD)];
  expect(await mayfly(["-f", a, "-f", b])).toEqual({
    status: 78,
    out: "",
    err: `mayfly: nothing was written\n${b}, Pod/p: no image of the agent is named; write mayfly/image, or give --image\n`,
  });
});

test("what cannot be read is told", async () => {
  const missing = join(folder, "missing.yaml");
  expect((await mayfly(["-f", missing])).err).toBe(
    `mayfly: ${missing} cannot be read (ENOENT); name a manifest's file\n`,
  );
  expect((await mayfly(["-f", ""])).err).toBe(
    `mayfly: "" cannot be read (ENOENT); name a manifest's file\n`,
  );
  expect(await mayfly([])).toEqual({
    status: 64,
    out: "",
    err: "mayfly: stdin is a terminal; name a manifest with -f, or pipe one\n",
  });
});

const OF_VAULT = POD.replace(
  /annotations: .*/,
  `annotations: { vault.hashicorp.com/agent-inject: "true", vault.hashicorp.com/agent-inject-secret-db: database/creds/readonly }`,
);

test("--from-vault says what became of each annotation, or which --map is missing", async () => {
  const arn = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";
  const options = ["--from-vault", "--image", "agent:1"];
  const made = await mayfly([...options, "--map", `database/creds/readonly=${arn}`], OF_VAULT);
  expect(made.status).toBe(0);
  expect(made.err.split("\n").map((line) => line.slice(0, 34))).toEqual([
    "stdin, Pod/p: line 5: vault.hashic",
    "stdin, Pod/p: line 5: vault.hashic",
    "stdin, Pod/p: mayfly/lease-app--re",
    "",
  ]);
  expect(made.out).not.toContain("vault.hashicorp.com");
  const unmapped = await mayfly(options, OF_VAULT);
  expect(unmapped).toMatchObject({ status: 78, out: "" });
  expect(unmapped.err).toMatch(/add --map 'database\/creds\/readonly=<database>\/<role>'\n$/);
  expect((await mayfly(["--map", "a/creds/b=c/d"], POD)).status).toBe(64);
});

test("a --map of a path that no annotation names is told", async () => {
  const arn = "arn:aws:lambda:eu-west-1:111122223333:function:issuer:app--readonly";
  const options = ["--from-vault", "--image", "agent:1", "--map", `database/creds/raedonly=${arn}`];
  const told =
    "--map database/creds/raedonly: no annotation of Vault's that was translated names this path; correct it, or leave it out\n";
  const wrong = await mayfly(options, OF_VAULT);
  expect(wrong).toMatchObject({ status: 78, out: "" });
  expect(wrong.err).toContain(told);
  const right = await mayfly([...options, "--map", `database/creds/readonly=${arn}`], OF_VAULT);
  expect(right.status).toBe(0);
  expect(right.err.endsWith(told)).toBe(true);
  expect(right.err).not.toContain("--map database/creds/readonly:");
});

test("what is not UTF-8 is refused in words", async () => {
  for (const [name, bytes] of [
    ["utf16.yaml", Buffer.from(`\uFEFF${POD}`, "utf16le")],
    ["latin1.yaml", Buffer.from(`${POD}# \u00fc`, "latin1")],
  ] as const) {
    const file = fileOf(name, bytes);
    const { status, out, err } = await mayfly(["-f", file, "--image", "agent:1"]);
    expect({ status, out }).toEqual({ status: 78, out: "" });
    expect(err).toContain(`${file} is not in UTF-8; save it so, and try again`);
  }
});
