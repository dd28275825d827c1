import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A JSON object of a template, before or after its intrinsic functions are resolved. */
export type Json = Readonly<Record<string, unknown>>;

/** One resource as the template states it. */
export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Json;
  readonly DependsOn?: string | readonly string[];
  readonly Condition?: string;
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

/** What the runner reads of a CloudFormation template. */
export interface Template {
  readonly Resources: Readonly<Record<string, TemplateResource>>;
  readonly Outputs?: Readonly<
    Record<string, { readonly Value: unknown; readonly Condition?: string }>
  >;
  readonly Parameters?: Readonly<
    Record<string, { readonly Type: string; readonly Default?: unknown }>
  >;
  readonly Conditions?: Json;
}

/** One stack of a synthesized cloud assembly. */
export interface Assembly {
  readonly stackName: string;
  readonly template: Template;
  hasCode(s3Key: string): boolean;
  /** The folder of a function's code. @throws Error when the key is no folder of this assembly. */
  codeFolder(s3Key: string): string;
}

interface Artifact {
  readonly type: string;
  readonly properties?: { readonly templateFile?: string; readonly stackName?: string };
  readonly displayName?: string;
}

interface AssetFile {
  readonly source: { readonly path?: string };
  readonly destinations: Readonly<Record<string, { readonly objectKey: string }>>;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/**
 * Read a cloud assembly (`cdk.out`).
 *
 * @throws Error when there is no such stack, or several and none is named.
 */
export function readAssembly(folder: string, stack?: string): Assembly {
  const { artifacts } = readJson(join(folder, "manifest.json")) as {
    artifacts: Readonly<Record<string, Artifact>>;
  };
  const stacks = Object.entries(artifacts).filter(
    ([, { type }]) => type === "aws:cloudformation:stack",
  );
  const chosen = stacks.filter(([id]) => stack === undefined || stack === id);
  const [id, artifact] = chosen[0] ?? [];
  const templateFile = artifact?.properties?.templateFile;
  if (chosen.length !== 1 || id === undefined || templateFile === undefined)
    throw new Error(
      `${folder} holds the stacks ${stacks.map(([name]) => name).join(", ") || "(none)"}; name one of them, not ${stack ?? "none"}`,
    );
  const { files } = readJson(
    join(folder, templateFile.replace(".template.json", ".assets.json")),
  ) as {
    files: Readonly<Record<string, AssetFile>>;
  };
  const sources = new Map(
    Object.values(files).flatMap(({ source, destinations }) =>
      Object.values(destinations).map(({ objectKey }) => [objectKey, source.path] as const),
    ),
  );
  return {
    stackName: artifact?.properties?.stackName ?? id,
    template: readJson(join(folder, templateFile)) as Template,
    hasCode: (s3Key) => sources.has(s3Key),
    codeFolder: (s3Key) => {
      const path = join(folder, sources.get(s3Key) ?? s3Key);
      if (!sources.has(s3Key) || !statSync(path).isDirectory())
        throw new Error(`asset ${s3Key} is no folder of ${folder}; synthesize with Code.fromAsset`);
      return path;
    },
  };
}

/** The code of a stack and of what it is updated to; a rollback needs that of former assemblies. */
export function codeOf(first: Assembly, stack: string | undefined) {
  const assemblies = [first];
  return {
    codeFolder: (s3Key: string): string =>
      (assemblies.findLast((each) => each.hasCode(s3Key)) ?? first).codeFolder(s3Key),
    /** Read another assembly of the stack. @throws Error when it is another stack's. */
    read: (folder: string): Template => {
      const assembly = readAssembly(folder, stack);
      if (assembly.stackName !== first.stackName)
        throw new Error(`${folder} holds stack ${assembly.stackName}, not ${first.stackName}`);
      assemblies.push(assembly);
      return assembly.template;
    },
  };
}
