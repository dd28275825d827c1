import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** Folder to what it may import, besides itself: whole folders, folders within, single files. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  core: [],
  config: ["core"],
  // one language of configurations
  "client/agent": ["core", "client", "config/schema"],
  // it writes configurations of the agent
  "client/kubernetes": ["core", "client", "client/agent", "config/schema"],
  client: ["core"],
  "lambda/postgres": ["core"],
  "lambda/aws": ["core"],
  "lambda/handlers": ["core", "lambda/postgres", "lambda/aws"],
  lib: [
    "core/agent-image.ts",
    "core/concurrency.ts",
    "core/errors.ts",
    "config",
    "core/aws/iam-role.ts",
    "core/aws/trust",
    "core/aws/workload-identity.ts",
    "core/provisioning/operation.ts",
    // a sidecar's configuration is checked at synthesis
    "client/agent/parse-configuration.ts",
    "core/provisioning/plan.ts",
    "core/provisioning/privilege-kinds.ts",
    "core/names.ts",
    "core/leases/deployment.ts",
    "core/leases/credential.ts",
    "core/leases/operation/sweep-request.ts",
    "core/metric.ts",
    "core/audit.ts",
    "core/rotation",
  ],
  "bin/aws": [],
  "bin/start": [],
  "bin/terminal": ["core"],
  "bin/completion": [],
  "bin/proxy": ["core", "client", "client/agent", "bin/rds-roots.ts", "bin/start", "bin/terminal"],
  "bin/agent": ["core", "client", "client/agent", "bin/rds-roots.ts", "bin/proxy", "bin/terminal"],
  "bin/doctor": [
    "core",
    "client",
    "client/agent",
    "bin/aws",
    "bin/agent",
    "bin/rds-roots.ts",
    "bin/proxy",
    "bin/terminal",
  ],
  // a new project is made with what this one is tested with
  "bin/init": ["config", "package.json", "cdk.json"],
  "bin/verify": ["core", "bin/aws", "bin/cost"],
  "bin/commands": [
    "core",
    "config",
    "lambda/postgres/provisioning/bootstrap",
    "lambda/postgres/leases/installation.ts",
    "lambda/postgres/provisioning/wanted-roles.ts",
    "bin/aws",
    "bin/load-config.ts",
    "bin/verify",
    "bin/agent",
    "bin/doctor",
    "bin/init",
    "bin/completion",
    "bin/proxy",
    "bin/start",
    "bin/terminal",
    "client",
    "client/agent",
    "client/kubernetes",
    "package.json",
  ],
  bin: ["core", "config", "lib", "bin/commands", "bin/start", "bin/terminal"],
  local: ["bin", "build.ts", "core/aws", "core/aws/trust", "core/names.ts"],
  demo: ["core", "local", "bin/aws", "mayfly.config.ts"],
  packaging: ["config"],
  // as a user has them: the package, by its name
  examples: [],
};

const folders = Object.keys(allowed).sort((a, b) => b.length - a.length);
const folderOf = (path: string): string =>
  folders.find((folder) => path.startsWith(`${folder}/`)) ?? path;

function importsOf(path: string): string[] {
  const text = readFileSync(join(root, path), "utf8");
  return [...text.matchAll(/(?:from|import) "([^"]+)"|import\("([^"]+)"\)/g)].map(
    ([, from, dynamic]) => from ?? dynamic ?? "",
  );
}

const sources = [
  ...new Set(
    folders.flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map((file) =>
        join(folder, file),
      ),
    ),
  ),
].filter((path) => path.endsWith(".ts"));

test.each(folders)("%s/ imports only what it may", (folder) => {
  const wrong: string[] = [];
  for (const path of sources.filter((source) => folderOf(source) === folder)) {
    for (const specifier of importsOf(path).filter((each) => each.startsWith("."))) {
      const target = relative(root, join(root, dirname(path), specifier));
      const fine = [folder, ...(allowed[folder] ?? [])];
      const isFine = (each: string): boolean =>
        each === folderOf(target) || each === target || dirname(target) === each;
      if (!fine.some(isFine)) wrong.push(`${path} -> ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("no file imports itself through others, types included", () => {
  const graph = new Map(
    sources.map((path) => [
      path,
      importsOf(path)
        .filter((specifier) => specifier.startsWith("."))
        .map((specifier) => join(dirname(path), specifier)),
    ]),
  );
  const finished = new Set<string>();
  const circles: string[] = [];
  const walk = (path: string, above: readonly string[]): void => {
    if (above.includes(path))
      circles.push([...above.slice(above.indexOf(path)), path].join(" -> "));
    else if (!finished.has(path))
      for (const next of graph.get(path) ?? []) walk(next, [...above, path]);
    finished.add(path);
  };
  for (const path of graph.keys()) walk(path, []);
  expect(circles).toEqual([]);
});

const layers = [
  "core",
  "config",
  "lambda/postgres",
  "lambda/aws",
  "lambda/handlers",
  "lib",
  "client",
  "local",
];

test.each(layers)("no two files in %s/ have one name", (layer) => {
  const names = sources
    .filter((path) => path.startsWith(`${layer}/`))
    .map((path) => basename(path));
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});

test("core/ imports no package but node:crypto and node:util", () => {
  const packages = sources
    .filter((path) => path.startsWith("core/"))
    .flatMap(importsOf)
    .filter((specifier) => !specifier.startsWith("."));
  expect([...new Set(packages)].sort()).toEqual(["node:crypto", "node:util"]);
});

/** Files and packages that are loaded with some files. What is imported when needed is not. */
function loadedWith(paths: readonly string[]): ReadonlySet<string> {
  const loaded = new Set<string>();
  const load = (path: string): void => {
    if (loaded.has(path)) return;
    loaded.add(path);
    if (!path.endsWith(".ts")) return;
    const imports = readFileSync(join(root, path), "utf8").matchAll(
      /^(?:import|export) (?!type )[^;"]*"([^"]+)"/gm,
    );
    for (const [, specifier = ""] of imports)
      load(specifier.startsWith(".") ? join(dirname(path), specifier) : specifier);
  };
  for (const path of paths) load(path);
  return loaded;
}

test("commands that run beside applications load no YAML", () => {
  const commands = ["main", "agent", "proxied/exec", "proxied/psql", "proxied/connect"];
  const loaded = loadedWith(commands.map((command) => `bin/commands/${command}.ts`));
  expect(loaded).toContain("commander");
  expect([...loaded].filter((each) => /^yaml$|client\/kubernetes/.test(each))).toEqual([]);
});

test("only the operator function carries the doctor, and only who calls it the client of Lambda", () => {
  const isOperators = (path: string) => /\/doctor\/|^@aws-sdk\/client-lambda$/.test(path);
  const withIt = ["issuer", "revoker", "sweeper", "operator"].filter((name) =>
    [...loadedWith([`lambda/handlers/${name}.ts`])].some(isOperators),
  );
  expect(withIt).toEqual(["operator"]);
});

test("no function bundle imports development code", () => {
  const forbidden = ["@cloud-copilot/iam-simulate", "selfsigned", "vitest", "aws-cdk-lib"];
  const bundled = ["lambda/", "examples/user-service/"];
  const packages = sources
    .filter((path) => bundled.some((folder) => path.startsWith(folder)))
    .flatMap(importsOf);
  expect(packages.filter((specifier) => forbidden.includes(specifier))).toEqual([]);
});

/** What only the engine's folder may speak of: another engine has other words. */
const ENGINE_WORDS = /\b(?:oids?|sqlstate|valid until|verifiers?)\b|pg_|VALID UNTIL|roleOid/i;

const neutral = sources.filter(
  (path) => path.startsWith("core/") || path.startsWith("lambda/handlers/"),
);

test.each(neutral)("%s has no word of PostgreSQL's in it", (path) => {
  const words = readFileSync(join(root, path), "utf8")
    .split("\n")
    .filter((line) => ENGINE_WORDS.test(line));
  expect(words).toEqual([]);
});

test("SQLSTATEs stand in one file", () => {
  const stray = sources
    .filter((path) => path.startsWith("lambda/") && !path.endsWith("/sqlstates.ts"))
    .flatMap((path) =>
      [...readFileSync(join(root, path), "utf8").matchAll(/"(?=[0-9A-Z]*\d)[0-9A-Z]{5}"/g)].map(
        ([code]) => `${path}: ${code}`,
      ),
    );
  expect(stray).toEqual([]);
});

/** Closing what is left anyway: what went wrong before is what is reported. */
const CLOSINGS = /\.(?:end|query)\((?:"rollback")?\)\)?\.catch\(\(\) => \{\}\)/;

test("nothing that was caught in core/ and lambda/ is dropped unread", () => {
  const dropped = sources
    .filter((path) => /^(?:core|lambda)\//.test(path))
    .flatMap((path) =>
      readFileSync(join(root, path), "utf8")
        .split("\n")
        .filter((line) => /\bcatch (?:\{|\(_)|\.catch\(\((?:_\w*)?\)? ?=>/.test(line))
        .filter((line) => !CLOSINGS.test(line))
        .map((line) => `${path}: ${line.trim()}`),
    );
  expect(dropped).toEqual([]);
});
