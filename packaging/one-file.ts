import { chmod, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import type { Inputs } from "./program.ts";
import { requiredBuiltins } from "./required-builtins.ts";

/** The agent's program and the oldest Node that it runs on. */
const ENTRY = "bin/mayfly-agent.ts";
const OLDEST_NODE = "24";

/** What the agent does without, and a smaller file. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  "@aws-sdk/client-cloudformation": `const { Exit, Failure } = require("./bin/terminal/exit.ts");
throw new Failure(Exit.usage, "this agent is one file and reads no stack; set the lease's MAYFLY_LEASE_… variable, or pass --function <arn> or --config");`,
  // bundled, the clients of the account would be a quarter of the file
  "../doctor/aws/sdk-account.ts": `const { Exit, Failure } = require("./bin/terminal/exit.ts");
throw new Failure(Exit.usage, "aws: this doctor is one file and reads no stack; ask mayfly doctor aws of the package");`,
  yaml: `const { Exit, Failure } = require("./bin/terminal/exit.ts");
throw new Failure(Exit.usage, "--from: this doctor is one file and reads JSON alone; write it with kubectl get -o json");`,
  // of Handlebars, for templates that are compiled to files
  "source-map": "module.exports = {};",
};

/** The roots of RDS in the program, instead of the folder beside it. */
const embedded = (rdsFolder: string): Plugin => ({
  name: "embedded",
  setup: (bundler) => {
    bundler.onLoad({ filter: /[\\/]bin[\\/]rds-roots\.ts$/ }, async () => ({
      contents: `export const RDS_ROOTS = ${JSON.stringify(await rootsIn(rdsFolder))};`,
    }));
    const filter = new RegExp(`^(?:${Object.keys(LEFT_OUT).join("|")})$`);
    bundler.onResolve({ filter }, ({ path }) => ({ path, namespace: "left-out" }));
    bundler.onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => ({
      contents: LEFT_OUT[path] ?? "",
      resolveDir: bundler.initialOptions.absWorkingDir,
    }));
  },
});

async function rootsIn(folder: string): Promise<Readonly<Record<string, string>>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".pem")).sort();
  const roots: Record<string, string> = {};
  for (const name of names)
    roots[name.slice(0, -".pem".length)] = await readFile(join(folder, name), "utf8");
  return roots;
}

/**
 * Write the agent as one file, which Node runs alone.
 *
 * @param rdsFolder with `<region>.pem`, as the build writes them.
 */
export async function compileOneFile(
  root: string,
  file: string,
  rdsFolder: string,
): Promise<Inputs> {
  const { metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: [ENTRY],
    outfile: file,
    bundle: true,
    platform: "node",
    format: "esm",
    target: `node${OLDEST_NODE}`,
    // a third smaller. mayfly agent of the package keeps names, for stack traces
    minify: true,
    legalComments: "none",
    mainFields: ["module", "main"],
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    plugins: [requiredBuiltins, embedded(rdsFolder)],
    logLevel: "warning",
  });
  await chmod(file, 0o755);
  return Object.keys(metafile.inputs).filter((input) => !input.startsWith("left-out:"));
}
