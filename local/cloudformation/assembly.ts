import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** A JSON object of a template, before or after its intrinsic functions are resolved. */
export type Json = Readonly<Record<string, unknown>>;

/** One resource of a template. */
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

/** The stacks of a synthesized cloud assembly that belong together. */
export interface Assembly {
  /** By name: the stack, and the stacks below it in the tree of constructs. */
  readonly templates: ReadonlyMap<string, Template>;
  hasFile(s3Key: string): boolean;
  /** The folder of a function's code. @throws Error if the assembly has no folder with this key. */
  codeFolder(s3Key: string): string;
  /** The template of a nested stack. @throws Error if the assembly does not have the key. */
  nestedTemplate(s3Key: string): Template;
}

interface Artifact {
  readonly type: string;
  readonly properties?: { readonly templateFile?: string; readonly stackName?: string };
  /** The path in the tree of constructs. */
  readonly displayName?: string;
}

interface AssetFile {
  readonly source: { readonly path?: string };
  readonly destinations: Readonly<Record<string, { readonly objectKey: string }>>;
}

type Found = { readonly id: string; readonly artifact: Artifact; readonly path: string };

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

const isUnder = (one: Found, other: Found): boolean => one.path.startsWith(`${other.path}/`);

/**
 * Read a cloud assembly (`cdk.out`): the stack with that id, or the only stack without a parent,
 * and the stacks below it.
 *
 * @throws Error if the stack does not exist, or if there are several and `id` names none.
 */
export function readAssembly(folder: string, stack?: string): Assembly {
  const { artifacts } = readJson(join(folder, "manifest.json")) as {
    artifacts: Readonly<Record<string, Artifact>>;
  };
  const all = Object.entries(artifacts)
    .filter(([, { type }]) => type === "aws:cloudformation:stack")
    .map(([id, artifact]) => ({ id, artifact, path: artifact.displayName ?? id }));
  const roots = all.filter((each) =>
    stack === undefined ? !all.some((other) => isUnder(each, other)) : each.id === stack,
  );
  const [root] = roots;
  if (root === undefined || roots.length > 1)
    throw new Error(
      `${folder} holds the stacks ${all.map(({ id }) => id).join(", ") || "(none)"}; name one of them, not ${stack ?? "none"}`,
    );
  const chosen = [root, ...all.filter((each) => isUnder(each, root))];
  const sources = new Map(chosen.flatMap(({ artifact }) => filesOf(folder, artifact)));
  const pathOf = (s3Key: string): string => join(folder, sources.get(s3Key) ?? s3Key);
  return {
    templates: new Map(
      chosen.map(({ id, artifact: { properties } }) => [
        properties?.stackName ?? id,
        readJson(join(folder, properties?.templateFile ?? "")) as Template,
      ]),
    ),
    hasFile: (s3Key) => sources.has(s3Key),
    codeFolder: (s3Key) => {
      if (!sources.has(s3Key) || !statSync(pathOf(s3Key)).isDirectory())
        throw new Error(`asset ${s3Key} is no folder of ${folder}; synthesize with Code.fromAsset`);
      return pathOf(s3Key);
    },
    nestedTemplate: (s3Key) => {
      if (sources.has(s3Key)) return readJson(pathOf(s3Key)) as Template;
      throw new Error(`${s3Key} is the template of no nested stack of ${folder}`);
    },
  };
}

/** S3 key to path, of every asset of a stack. */
function filesOf(folder: string, { properties }: Artifact): [string, string | undefined][] {
  const name = (properties?.templateFile ?? "").replace(".template.json", ".assets.json");
  const { files } = readJson(join(folder, name)) as { files: Readonly<Record<string, AssetFile>> };
  return Object.values(files).flatMap(({ source, destinations }) =>
    Object.values(destinations).map(({ objectKey }): [string, string | undefined] => [
      objectKey,
      source.path,
    ]),
  );
}

/** The files of an assembly and of its updates. A rollback needs files of earlier assemblies. */
export function filesOfAll(first: Assembly, stack: string | undefined) {
  const assemblies = [first];
  const holderOf = (s3Key: string): Assembly =>
    assemblies.findLast((each) => each.hasFile(s3Key)) ?? first;
  return {
    codeFolder: (s3Key: string): string => holderOf(s3Key).codeFolder(s3Key),
    nestedTemplate: (s3Key: string): Template => holderOf(s3Key).nestedTemplate(s3Key),
    /** Read another assembly of the stack. @throws Error if it belongs to another stack. */
    read: (folder: string): Assembly["templates"] => {
      const assembly = readAssembly(folder, stack);
      const [[wanted], [found]] = [[...first.templates.keys()], [...assembly.templates.keys()]];
      if (wanted !== found) throw new Error(`${folder} holds stack ${found}, not ${wanted}`);
      assemblies.push(assembly);
      return assembly.templates;
    },
  };
}
