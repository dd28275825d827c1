import type { TestProject } from "vitest/node";
import { startCluster } from "./cluster.ts";
import { makeClusterTemplate } from "./cluster-template.ts";

/** The cluster that all tests of the `postgres` project share; roles are kept apart by their tag. */
export interface TestCluster {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  readonly masterUsername: string;
  readonly masterPassword: string;
  /** Of the bootstrap superuser. */
  readonly superuser: { readonly username: string; readonly password: string };
}

declare module "vitest" {
  export interface ProvidedContext {
    postgres: TestCluster;
  }
}

/** `MAYFLY_TEST_POSTGRES` names the `native` folder of another major, for the matrix. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const removeTemplate = await makeClusterTemplate();
  // a test has a database of its own, and autovacuum would do nothing but visit hundreds of them
  const { server, cluster } = await startCluster(["autovacuum=off"]);
  project.provide("postgres", cluster);
  return async () => {
    await server.stop();
    removeTemplate();
  };
}
