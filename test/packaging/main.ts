import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { tempFolder } from "../../local/temp-folder.ts";
import { assemblePackage } from "../../packaging/assemble.ts";
import { OLDEST_NODE } from "../../packaging/manifest.ts";
import { ALLOWED_LICENCES } from "../../packaging/third-party.ts";
import { runProgram } from "./run-program.ts";
import { USERS_TYPES } from "./users-project.ts";

/*
 * The package as users get it, from npm: `npm run test:package`. It needs a registry, and Linux for
 * other versions of Node. Exit status: 0 when everything was seen that should be, 1 otherwise.
 */

const ROOT = join(import.meta.dirname, "..", "..");
const clone = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

/** A version of Node: the oldest that the package runs on, the functions' own, and one too old. */
const NODES = { oldest: `${OLDEST_NODE}.0`, newest: "24.21.0", tooOld: "20.20.2" };

/** The lowest CDK that the peer allows, and the one of the clone. */
const CDKS: readonly string[] = [
  clone.peerDependencies["aws-cdk-lib"].slice(1),
  clone.devDependencies["aws-cdk-lib"],
];

const EXAMPLES = ["existing-instance", "existing-cluster", "rotated-secrets", "any-postgres"];
/** What a program with a pool of leased clients has. */
const FOR_POOLS = ["pg", "@types/pg", "@aws-sdk/client-lambda"];
const LINTERS = { publint: "publint@0.3.25", attw: "@arethetypeswrong/cli@0.18.5" };

const { path: folder, remove } = tempFolder("installed");

/** This environment: how npm reaches its registry is the machine's business. */
const OURS = { PATH: "", ...(process.env as Readonly<Record<string, string>>) };

/** A folder inside the temp folder. */
function folderOf(name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Run a program, first of all on PATH being that Node. @returns what it printed. */
async function run(
  cwd: string,
  [file = "", ...args]: readonly string[],
  { node, env }: { readonly node?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const PATH = node === undefined ? OURS.PATH : `${node}:${OURS.PATH}`;
  const ended = await runProgram(file, args, { cwd, env: { ...OURS, ...env, PATH } });
  if (ended.status === 0) return ended.out;
  throw new Error(`${file} ${args.join(" ")}: status ${ended.status}\n${ended.err}${ended.out}`);
}

const install = (cwd: string, ...packages: readonly string[]): Promise<string> =>
  run(cwd, ["npm", "install", "--no-audit", "--no-fund", ...packages]);

/** Fetch a Node. @returns the folder of its binary. */
async function fetchNode(version: string): Promise<string> {
  const cwd = folderOf(`node-${version}`);
  const name = `node-${process.platform}-${process.arch}`;
  await install(cwd, `${name}@${version}`);
  return join(cwd, "node_modules", name, "bin");
}

function assertEqual(seen: unknown, wanted: unknown): void {
  const [a, b] = [JSON.stringify(seen), JSON.stringify(wanted)];
  if (a !== b) throw new Error(`${a} instead of ${b}`);
}

/** Every package that npm put there, whatever it is nested in, by its folder. */
const packagesIn = (cwd: string): readonly string[] =>
  readdirSync(join(cwd, "node_modules"), { recursive: true, encoding: "utf8" })
    .filter((path) => /(?:^|node_modules\/)(?:@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
    .map((path) => path.replace(/\/package\.json$/, ""));

const sizeOf = (path: string): number =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);

let passed = 0;
let failed = 0;
async function check(name: string, body: () => Promise<string>): Promise<void> {
  try {
    console.log(`ok      ${name}: ${await body()}`);
    passed++;
  } catch (error) {
    console.log(`FAILED  ${name}: ${(error as Error).message}`);
    failed++;
  }
}

async function checkAlone(tarball: string, nodes: Readonly<Record<keyof typeof NODES, string>>) {
  const cwd = folderOf("alone");
  await check("npm i in an empty folder installs the package and its one dependency", async () => {
    await install(cwd, tarball);
    assertEqual(packagesIn(cwd), ["mayfly", "valibot"]);
    const [packed, unpacked] = [statSync(tarball).size, sizeOf(join(cwd, "node_modules"))];
    return `mayfly, ${packed} bytes packed, ${unpacked} unpacked`;
  });
  for (const key of ["oldest", "newest"] as const)
    await check(`npx mayfly --help on Node ${NODES[key]}`, async () => {
      const help = await run(cwd, ["npx", "--no-install", "mayfly", "--help"], {
        node: nodes[key],
      });
      return help.split("\n")[0] ?? "";
    });
  await check(`npx mayfly --help on Node ${NODES.tooOld}`, async () => {
    const env = { ...OURS, PATH: `${nodes.tooOld}:${OURS.PATH}` };
    const ended = await runProgram("npx", ["--no-install", "mayfly", "--help"], { cwd, env });
    const err = `mayfly: Node ${NODES.tooOld} is too old; install Node ${OLDEST_NODE} or later\n`;
    assertEqual(ended, { status: 78, out: "", err });
    return "one sentence, status 78";
  });
}

async function checkLinters(tarball: string) {
  const cwd = folderOf("linters");
  await install(cwd, ...Object.values(LINTERS));
  await check(LINTERS.publint, async () => {
    const out = await run(cwd, ["npx", "--no-install", "publint", "run", tarball, "--strict"]);
    return out.trim().split("\n").at(-1) ?? "";
  });
  await check(LINTERS.attw, async () => {
    const profile = ["--profile", "esm-only", "--format", "ascii", "--no-emoji"];
    await run(cwd, ["npx", "--no-install", "attw", tarball, ...profile]);
    return "no problem with the profile esm-only";
  });
}

async function checkWith(cdk: string, tarball: string, nodes: readonly string[]) {
  const cwd = folderOf(`cdk-${cdk}`);
  writeFileSync(join(cwd, "types.ts"), USERS_TYPES);
  copyFileSync(join(ROOT, "dist/rds-ca/eu-west-1.pem"), join(cwd, "root.pem"));
  for (const name of EXAMPLES)
    copyFileSync(join(ROOT, "examples", `${name}.ts`), join(cwd, `${name}.ts`));
  // the first hour of somebody new
  await install(cwd, tarball, `aws-cdk-lib@${cdk}`, "constructs", ...FOR_POOLS);
  await run(cwd, ["npx", "--no-install", "mayfly", "init"]);
  await install(cwd);
  await check(`licences of all that is installed, CDK ${cdk}`, async () => {
    const found = packagesIn(cwd).map((path) => {
      const text = readFileSync(join(cwd, "node_modules", path, "package.json"), "utf8");
      return `${path}: ${(JSON.parse(text) as { license?: string }).license}`;
    });
    const wrong = found.filter(
      (each) => !ALLOWED_LICENCES.some((licence) => each.endsWith(`: ${licence}`)),
    );
    // what the CDK bundles is the CDK's to answer for
    assertEqual(
      wrong.filter((each) => !each.startsWith("aws-cdk-lib/node_modules/")),
      [],
    );
    return `${found.length} packages`;
  });
  await check(`a user's app compiles, CDK ${cdk}`, async () => {
    await run(cwd, ["npx", "--no-install", "tsc", "--skipLibCheck", "false"]);
    return "declarations of the package included";
  });
  for (const node of nodes) {
    await check(`npx cdk synth, CDK ${cdk}, ${node.split("/").at(-4)}`, async () => {
      await run(cwd, ["npx", "--no-install", "cdk", "synth", "--quiet"], { node });
      return readdirSync(join(cwd, "cdk.out"))
        .filter((each) => /template/.test(each))
        .join(", ");
    });
    for (const name of EXAMPLES)
      await check(`${name}.ts synthesizes, CDK ${cdk}, ${node.split("/").at(-4)}`, async () => {
        const CDK_OUTDIR = join(cwd, "out", name);
        await run(cwd, ["node", `${name}.ts`], { node, env: { CDK_OUTDIR } });
        const templates = readdirSync(CDK_OUTDIR).filter((each) => each.endsWith(".template.json"));
        return templates.join(", ");
      });
  }
}

try {
  await run(ROOT, [process.execPath, "build.ts"]);
  const { folder: assembled } = await assemblePackage(join(folder, "assembled"));
  const packed = await run(folder, ["npm", "pack", "--json", assembled]);
  const [{ filename }] = JSON.parse(packed) as [{ readonly filename: string }];
  const tarball = join(folder, filename);
  const nodes = {
    oldest: await fetchNode(NODES.oldest),
    newest: await fetchNode(NODES.newest),
    tooOld: await fetchNode(NODES.tooOld),
  };
  await checkAlone(tarball, nodes);
  await checkLinters(tarball);
  for (const cdk of CDKS) await checkWith(cdk, tarball, [nodes.oldest, nodes.newest]);
} finally {
  remove();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
