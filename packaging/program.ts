import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { requiredBuiltins } from "./required-builtins.ts";

/** The inputs of a program: paths relative to the project's root. */
export type Inputs = readonly string[];

/**
 * The file that Node runs. It must parse on old versions of Node, which would otherwise fail in the
 * program itself with an unhelpful error.
 */
export const guardOf = (name: string, oldestNode: string): string => {
  const [major, minor] = oldestNode.split(".");
  return `#!/usr/bin/env node
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > ${major} || (major === ${major} && minor >= ${minor})) {
  await import("./${name}-program.js");
} else {
  console.error(
    \`${name}: Node \${process.versions.node} is too old; install Node ${oldestNode} or later\`,
  );
  process.exitCode = 78;
}
`;
};

/**
 * Bundle one program to `<folder>/<name>-program.js` and the parts that it loads when it uses them,
 * and write the file that checks Node first.
 */
export async function compileProgram(
  root: string,
  folder: string,
  program: { readonly name: string; readonly entry: string; readonly oldestNode: string },
): Promise<Inputs> {
  const { name, entry, oldestNode } = program;
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    metafile: true,
    entryPoints: [entry],
    outdir: folder,
    entryNames: `${name}-program`,
    // one folder: some code finds files beside itself
    chunkNames: `${name}-[hash]`,
    bundle: true,
    // what a command does not use is not loaded
    splitting: true,
    platform: "node",
    format: "esm",
    target: `node${oldestNode}`,
    // keep names, for stack traces in bug reports
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    mainFields: ["module", "main"],
    // CommonJS packages require Node's modules at run time
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    plugins: [requiredBuiltins],
    logLevel: "warning",
  });
  const guard = join(folder, `${name}.js`);
  await writeFile(guard, guardOf(name, oldestNode));
  await chmod(guard, 0o755);
  return Object.keys(metafile.inputs);
}
