import type { TestProject } from "vitest/node";
import { synthesizeConfigured } from "../../local/synthesize.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Folder of the synthesized stack of `mayfly.config.ts`. */
    assembly: string;
  }
}

/** Bundle and synthesize once per run: the tests run the very files that are deployed. */
export default async function setup(project: TestProject): Promise<() => void> {
  const assembly = await synthesizeConfigured();
  project.provide("assembly", assembly.folder);
  return assembly.remove;
}
