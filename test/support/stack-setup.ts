import type { TestProject } from "vitest/node";
import { synthesizeConfigured } from "../../local/cloudformation/synthesize.ts";
import { makeClusterTemplate } from "./cluster-template.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Folder of the synthesized stack of `mayfly.config.ts`. */
    assembly: string;
  }
}

/** Where the folder stands, for the second of two projects that need it. */
const ASSEMBLY = "MAYFLY_TEST_ASSEMBLY";

/** Bundle and synthesize once per run: the tests run the very files that are deployed. */
export default async function setup(project: TestProject): Promise<() => void> {
  const made = process.env[ASSEMBLY];
  if (made !== undefined) {
    project.provide("assembly", made);
    return () => {};
  }
  const removeTemplate = await makeClusterTemplate();
  const assembly = await synthesizeConfigured();
  process.env[ASSEMBLY] = assembly.folder;
  project.provide("assembly", assembly.folder);
  return () => {
    assembly.remove();
    removeTemplate();
  };
}
