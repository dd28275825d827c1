import { type OwnServer, startCluster, type TestCluster } from "./cluster.ts";

let started: Promise<OwnServer> | undefined;

/**
 * The server that all tests of a file share, started when the first asks for it; their roles are
 * kept apart by tags. One server for all files became slower with each: its master is a member of
 * every role that it has made.
 */
export async function fileCluster(): Promise<TestCluster> {
  // each test has a database of its own, and autovacuum would do nothing but visit them
  started ??= startCluster(["autovacuum=off"]);
  return (await started).cluster;
}

export async function stopFileCluster(): Promise<void> {
  const own = await started;
  started = undefined;
  await own?.server.stop();
}
