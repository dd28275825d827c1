import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { cdkDeployer, type Project, projectAt } from "../../../bin/verify/cdk-deployer.ts";
import { tempFolder } from "../../../local/temp-folder.ts";

const { path: folder, remove } = tempFolder("cdk");
afterAll(remove);

/** A `cdk` that writes down how it was called, and does what a test says. */
function fakeCdk(name: string, script: string): Project & { readonly calls: () => string[] } {
  const project = join(folder, name);
  mkdirSync(join(project, "node_modules", ".bin"), { recursive: true });
  const cdk = join(project, "node_modules", ".bin", "cdk");
  const log = join(project, "calls");
  writeFileSync(cdk, `#!/bin/sh\necho "$@" >> "${log}"\n${script}\n`, { mode: 0o755 });
  const calls = (): string[] =>
    existsSync(log)
      ? readFileSync(log, "utf8")
          .trim()
          .replaceAll(/\.mayfly-verify-\w+/g, "F")
          .split("\n")
      : [];
  return { folder: project, cdk, calls };
}

/** Writes a template where `--output` says. */
const SYNTHESIZES = `
while [ $# -gt 0 ]; do [ "$1" = --output ] && out="$2"; shift; done
[ -n "$out" ] && mkdir -p "$out" && echo '{"Resources":{}}' > "$out/X.template.json"
exit 0`;

const deployerOf = (project: Project, onOutput: (text: string) => void = () => {}) =>
  cdkDeployer(project, { stackName: "MayflyVerify-abc123", onOutput });

const never = new AbortController().signal;

test("synthesizes an app of its own, deploys, deploys a change, destroys, and leaves no file", async () => {
  const project = fakeCdk("whole", SYNTHESIZES);
  const deployer = deployerOf(project);
  expect(await deployer.synthesize(never)).toEqual([{ Resources: {} }]);
  const [own = ""] = readdirSync(project.folder).filter((name) => name.startsWith("."));
  const app = readFileSync(join(project.folder, own, "first.mjs"), "utf8");
  expect(app).toContain('new MayflyStack(app, "MayflyVerify-abc123", { config })');
  await deployer.deploy(never);
  await deployer.deploy(never);
  const changed = readFileSync(join(project.folder, own, "changed.mjs"), "utf8");
  expect(changed.replace('"ttl": "30m"', '"ttl": "1h"')).toBe(app);
  await deployer.destroy();
  deployer.removeFiles();
  expect(readdirSync(project.folder).sort()).toEqual(["calls", "node_modules"]);
  const out = join(project.folder, "F", "cdk.out");
  const synth = (version: string): string =>
    `synth MayflyVerify-abc123 --app node F/${version} --output ${out} --quiet`;
  const deploy = `deploy MayflyVerify-abc123 --app ${out} --require-approval never`;
  expect(project.calls()).toEqual([
    synth("first.mjs"),
    deploy,
    synth("changed.mjs"),
    deploy,
    `destroy MayflyVerify-abc123 --app ${out} --force`,
  ]);
});

test("the last words of a failed deployment are in the error, and all of them are shown", async () => {
  const lines = 'i=0; while [ $i -lt 30 ]; do i=$((i+1)); echo "line $i" >&2; done; exit 1';
  let shown = "";
  const deployer = deployerOf(fakeCdk("failing", lines), (text) => {
    shown += text;
  });
  await expect(deployer.deploy(never)).rejects.toThrow(
    /^cdk deploy ended with status 1:\nline 16\n(?:.*\n)*line 30$/,
  );
  expect(shown).toMatch(/^line 1\n/);
  deployer.removeFiles();
});

test("an abort ends the program and what it has started, and nothing is begun after it", async () => {
  const project = fakeCdk("slow", "echo begun\nsleep 600 &\nwait");
  const stopping = new AbortController();
  const deployer = deployerOf(project, () => stopping.abort());
  await expect(deployer.deploy(stopping.signal)).rejects.toThrow(/aborted/);
  await expect(deployer.deploy(stopping.signal)).rejects.toThrow(/aborted/);
  expect(project.calls()).toHaveLength(1);
  deployer.removeFiles();
});

test("the nearest cdk is the project's, from any folder in it", () => {
  const { folder: project, cdk } = fakeCdk("nested", "");
  const within = join(project, "a", "b");
  mkdirSync(within, { recursive: true });
  expect(projectAt(within)).toEqual({ folder: project, cdk });
  expect(projectAt(join(folder, ".."))).toBeUndefined();
});
