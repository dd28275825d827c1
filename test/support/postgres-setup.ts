import { randomBytes } from "node:crypto";
import type { TestProject } from "vitest/node";
import { startPostgres } from "../../local/postgres.ts";

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
  const masterUsername = "mayfly_master";
  const masterPassword = randomBytes(16).toString("hex");
  const server = await startPostgres({
    masterUsername,
    masterPassword,
    database: "orders",
    forceTls: true,
    ...(process.env.MAYFLY_TEST_POSTGRES && { binaries: process.env.MAYFLY_TEST_POSTGRES }),
  });
  const { user, password } = server.superuser();
  project.provide("postgres", {
    host: server.host,
    port: server.port,
    ca: server.ca,
    masterUsername,
    masterPassword,
    superuser: { username: String(user), password: String(password) },
  });
  return () => server.stop();
}
