import { execFile } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DaemonSet } from "kubernetes-models/apps/v1/DaemonSet";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { ReplicaSet } from "kubernetes-models/apps/v1/ReplicaSet";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { CronJob } from "kubernetes-models/batch/v1/CronJob";
import { Job } from "kubernetes-models/batch/v1/Job";
import { Pod } from "kubernetes-models/v1/Pod";
import { parseAllDocuments } from "yaml";
import { root } from "./pages.ts";

/** A resource as the API server reads it. */
export interface ReadResource {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec?: unknown;
}

interface Model {
  validate(): unknown;
}

/** Values are held against the package's schemas, names of fields against its types. */
const MODELS: Readonly<
  Record<string, { readonly folder: string; readonly make: (data: never) => Model }>
> = {
  DaemonSet: { folder: "apps/v1", make: (data) => new DaemonSet(data) },
  Deployment: { folder: "apps/v1", make: (data) => new Deployment(data) },
  ReplicaSet: { folder: "apps/v1", make: (data) => new ReplicaSet(data) },
  StatefulSet: { folder: "apps/v1", make: (data) => new StatefulSet(data) },
  CronJob: { folder: "batch/v1", make: (data) => new CronJob(data) },
  Job: { folder: "batch/v1", make: (data) => new Job(data) },
  Pod: { folder: "v1", make: (data) => new Pod(data) },
};

/** The resources of a stream that have pods, as Kubernetes' YAML 1.1 reads them. */
export function podResourcesIn(text: string): readonly ReadResource[] {
  const documents = parseAllDocuments(text, { version: "1.1", merge: true });
  if (!Array.isArray(documents)) return [];
  return documents
    .flatMap((document): unknown[] => {
      const value = document.toJS() as { readonly items?: readonly unknown[] } | null;
      return value?.items === undefined ? [value] : [...value.items];
    })
    .filter((each): each is ReadResource =>
      Object.hasOwn(MODELS, (each as ReadResource | null)?.kind ?? ""),
    );
}

/** Values that Kubernetes' API would refuse, each a line. */
export const wrongValues = (resources: readonly ReadResource[]): readonly string[] =>
  resources.flatMap((resource) => {
    try {
      MODELS[resource.kind]?.make(resource as never).validate();
      return [];
    } catch (error) {
      return [`${resource.kind}/${resource.metadata.name}: ${String(error)}`];
    }
  });

/** Both of what Kubernetes' API would refuse. */
export const schemaProblems = async (
  resources: readonly ReadResource[],
): Promise<readonly string[]> => [...wrongValues(resources), ...(await unknownFields(resources))];

const run = promisify(execFile);

/**
 * Fields that Kubernetes' API does not know, each a line: the compiler refuses what a type does not
 * have, at any depth of a literal. It takes about a second, for however many resources.
 */
export async function unknownFields(
  resources: readonly ReadResource[],
): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), "mayfly-schema-"));
  try {
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    const literals = resources.map(({ kind, ...rest }, index) => {
      const type = `import("kubernetes-models/${MODELS[kind]?.folder}/${kind}").I${kind}`;
      return `export const r${index} = ${JSON.stringify({ kind, ...rest })} satisfies ${type};`;
    });
    await writeFile(join(folder, "resources.mts"), literals.join("\n"));
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--pretty", "false"];
    const target = ["--module", "nodenext", "--target", "esnext", "--types", ""];
    await run(join(root, "node_modules/.bin/tsc"), [...options, ...target, "resources.mts"], {
      cwd: folder,
    });
    return [];
  } catch (error) {
    return [(error as { readonly stdout?: string }).stdout ?? String(error)];
  } finally {
    await rm(folder, { recursive: true });
  }
}
