import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";

/** What a program is compiled from: paths relative to the project's root. */
export type Inputs = readonly string[];

/**
 * The file that is run. It must parse on old versions of Node, which would stop at the first line
 * of the program itself with words that help nobody.
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

/** Compile one program with all that it imports to `<folder>/<name>-program.js`, and guard it. */
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
    outfile: join(folder, `${name}-program.js`),
    bundle: true,
    platform: "node",
    format: "esm",
    target: `node${oldestNode}`,
    // names stay: a stack trace is for the people who report it
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: "none",
    mainFields: ["module", "main"],
    // what is CommonJS asks for Node's own modules at run time
    banner: {
      js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);",
    },
    logLevel: "warning",
  });
  const guard = join(folder, `${name}.js`);
  await writeFile(guard, guardOf(name, oldestNode));
  await chmod(guard, 0o755);
  return Object.keys(metafile.inputs);
}
