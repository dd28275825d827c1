import cdk from "../../cdk.json" with { type: "json" };
import type { MayflyConfig } from "../../config/config.ts";
import clone from "../../package.json" with { type: "json" };

/** A key that needs no quotes. */
const PLAIN_KEY = /^[A-Za-z_]\w*$/;

/** A value as TypeScript: objects over several lines, arrays on one. */
export function literal(value: unknown, indent = ""): string {
  if (Array.isArray(value)) return `[${value.map((each) => literal(each, indent)).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const lines = Object.entries(value).map(([key, each]) => {
    const name = PLAIN_KEY.test(key) ? key : JSON.stringify(key);
    return `${inner}${name}: ${literal(each, inner)},\n`;
  });
  return `{\n${lines.join("")}${indent}}`;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

const APP = `import { App } from "aws-cdk-lib";
import { MayflyStack } from "mayfly";
import { parseConfig } from "mayfly/config";
import config from "./mayfly.config.ts";

new MayflyStack(new App(), "Mayfly", { config: parseConfig(config) });
`;

/** The files of a new project without package.json: name to text. */
export const projectFiles = (config: MayflyConfig): Readonly<Record<string, string>> => ({
  "mayfly.config.ts": `import { defineConfig } from "mayfly/config";\n\nexport default defineConfig(${literal(config)});\n`,
  "app.ts": APP,
  "cdk.json": json({ app: "node app.ts", context: cdk.context }),
  "tsconfig.json": json({
    compilerOptions: {
      target: "es2024",
      module: "nodenext",
      strict: true,
      noEmit: true,
      allowImportingTsExtensions: true,
      verbatimModuleSyntax: true,
      erasableSyntaxOnly: true,
      skipLibCheck: true,
      types: ["node"],
    },
    include: ["*.ts"],
  }),
});

/** A package.json that exists already. Its other fields are kept. */
export interface FoundManifest {
  readonly type?: string;
  readonly engines?: object;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const { devDependencies: tested } = clone;

/** The packages that the app imports, in the versions that Mayfly is tested with. */
const DEPENDENCIES: Readonly<Record<string, string>> = {
  "aws-cdk-lib": `^${tested["aws-cdk-lib"]}`,
  constructs: `^${tested.constructs}`,
};
const DEV_DEPENDENCIES: Readonly<Record<string, string>> = {
  "@types/node": tested["@types/node"],
  "aws-cdk": `^${tested["aws-cdk"]}`,
  typescript: `^${tested.typescript}`,
};

/**
 * The package.json with the packages that the project needs, and the names of those added.
 *
 * @param file where this package was installed from: npm may not have it.
 */
export function completed(
  found: FoundManifest,
  file: string | undefined,
): {
  readonly text: string;
  readonly added: readonly string[];
} {
  const {
    type = "module",
    engines = { node: ">=22.18" },
    dependencies = {},
    devDependencies = {},
    ...rest
  } = found;
  const present = { ...dependencies, ...devDependencies };
  const missing = (wanted: Readonly<Record<string, string>>) =>
    Object.entries(wanted).filter(([name]) => present[name] === undefined);
  const wanted = { ...DEPENDENCIES, mayfly: file ?? `^${clone.version}` };
  const [added, addedTools] = [missing(wanted), missing(DEV_DEPENDENCIES)];
  const manifest = {
    ...rest,
    type,
    engines,
    dependencies: { ...dependencies, ...Object.fromEntries(added) },
    devDependencies: { ...devDependencies, ...Object.fromEntries(addedTools) },
  };
  return { text: json(manifest), added: [...added, ...addedTools].map(([name]) => name) };
}
