/** The fields of the clone's package.json that the package needs. */
export interface CloneManifest {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly keywords: readonly string[];
  readonly repository: { readonly type: string; readonly url: string };
  readonly license: string;
  /** Entry to its source, e.g. `./config` to `./config/index.ts`. */
  readonly exports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta: Readonly<Record<string, { readonly optional?: boolean }>>;
}

/** The oldest Node for the package: it loads a configuration in TypeScript without flags. */
export const OLDEST_NODE = "22.18";

/** Programs of the package: name to entry file. */
export const PROGRAMS: Readonly<Record<string, string>> = { mayfly: "bin/mayfly.ts" };

/** The agent as one file, which runs alone, on Node 24. */
export const ONE_FILE = "dist/agent/mayfly-agent.mjs";

/** What makes an image of it. */
export const IMAGE_FILE = "dist/agent/Dockerfile";

/** The package's files, except package.json, README and LICENSE, which npm adds. */
export const CONTENTS = [
  "bin",
  "client",
  "config",
  "core",
  "dist",
  "docs",
  "lib",
  "CHANGELOG.md",
  "THIRD-PARTY-LICENSES.txt",
];

const compiled = (source: string, extension: string): string =>
  source.replace(/\.ts$/, `.${extension}`);

/**
 * The published package.json. Packages that compiled files import at run time, or declarations
 * name, are dependencies; the others are bundled, or they are the user's peers.
 */
export function manifestOf(clone: CloneManifest): Readonly<Record<string, unknown>> {
  const main = clone.exports["."];
  if (main === undefined) throw new Error('package.json: exports: "." is missing; name its source');
  return {
    name: clone.name,
    version: clone.version,
    description: clone.description,
    keywords: clone.keywords,
    repository: clone.repository,
    license: clone.license,
    type: "module",
    sideEffects: false,
    // for compilers that do not read exports
    main: compiled(main, "js"),
    types: compiled(main, "d.ts"),
    exports: {
      ...Object.fromEntries(
        Object.entries(clone.exports).map(([entry, source]) => [
          entry,
          { types: compiled(source, "d.ts"), default: compiled(source, "js") },
        ]),
      ),
      "./package.json": "./package.json",
    },
    bin: {
      ...Object.fromEntries(Object.keys(PROGRAMS).map((name) => [name, `bin/${name}.js`])),
      "mayfly-agent": ONE_FILE,
    },
    files: CONTENTS,
    engines: { node: `>=${OLDEST_NODE}` },
    dependencies: clone.dependencies,
    peerDependencies: clone.peerDependencies,
    peerDependenciesMeta: clone.peerDependenciesMeta,
  };
}
