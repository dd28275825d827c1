import { afterAll, beforeAll } from "vitest";
import type { TestCluster } from "./cluster.ts";
import { type OwnServer, startCluster } from "./cluster.ts";

/** A server for the tests of one file alone, who break what others share. */
export function ownCluster(): () => TestCluster {
  let own: OwnServer | undefined;
  beforeAll(async () => {
    own = await startCluster();
  });
  afterAll(() => own?.server.stop());
  return () => {
    if (own === undefined) throw new Error("the server is started before the first test");
    return own.cluster;
  };
}
