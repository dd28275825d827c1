import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "vitest";
import { type EmbeddedPostgres, startPostgres } from "../../local/postgres.ts";
import type { TestCluster } from "./postgres-setup.ts";

/** A server for the tests of one file alone, who break what others share. */
export function ownCluster(): () => TestCluster {
  const masterUsername = "mayfly_master";
  const masterPassword = randomBytes(16).toString("hex");
  const binaries = process.env.MAYFLY_TEST_POSTGRES;
  let server: EmbeddedPostgres | undefined;
  beforeAll(async () => {
    server = await startPostgres({
      masterUsername,
      masterPassword,
      database: "orders",
      forceTls: true,
      ...(binaries && { binaries }),
    });
  });
  afterAll(() => server?.stop());
  return () => {
    if (server === undefined) throw new Error("the server is started before the first test");
    const { user, password } = server.superuser();
    return {
      host: server.host,
      port: server.port,
      ca: server.ca,
      masterUsername,
      masterPassword,
      superuser: { username: String(user), password: String(password) },
    };
  };
}
