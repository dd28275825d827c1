import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { synthesizeConfigured } from "../../local/cloudformation/synthesize.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import { makeClusterTemplate } from "./cluster-template.ts";
import type { Outcome } from "./shipped-assembly.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** The file that says where the synthesized stack of `mayfly.config.ts` is, once it is made. */
    assemblyOutcome: string;
  }
}

/** Where that file stands, for the second of two projects that need it. */
const OUTCOME = "MAYFLY_TEST_ASSEMBLY";

/**
 * Bundle and synthesize once per run: the tests run the very files that are deployed. The first tests
 * need not wait for that.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const under = process.env[OUTCOME];
  if (under !== undefined) {
    project.provide("assemblyOutcome", under);
    return async () => {};
  }
  const removeTemplate = await makeClusterTemplate();
  const { path: folder, remove } = tempFolder("assembly-outcome");
  const file = join(folder, "outcome.json");
  process.env[OUTCOME] = file;
  project.provide("assemblyOutcome", file);
  const tell = (outcome: Outcome): void => {
    writeFileSync(`${file}.new`, JSON.stringify(outcome));
    renameSync(`${file}.new`, file);
  };
  const making = synthesizeConfigured();
  const told = making.then(
    ({ folder: path }) => tell({ folder: path }),
    ({ message }: Error) => tell({ failure: message }),
  );
  return async () => {
    await told;
    await making.then((made) => made.remove()).catch(() => {}); // the tests have told it
    remove();
    removeTemplate();
  };
}
