import { randomBytes } from "node:crypto";
import { withAdmin } from "../support/admin.ts";
import type { TestCluster } from "../support/cluster.ts";
import { ProxyProcess, type StartOptions } from "./proxy-process.ts";

/** A server, and proxies before it. */
export interface Stage {
  readonly cluster: TestCluster;
  readonly start: (
    options?: Partial<Pick<StartOptions, "descriptors" | "socketFolder" | "server">>,
  ) => Promise<ProxyProcess>;
  readonly admin: <Row>(text: string) => Promise<Row[]>;
}

export async function makeStage(cluster: TestCluster, bundle: string): Promise<Stage> {
  const password = randomBytes(16).toString("hex");
  await withAdmin(cluster, (admin) =>
    admin.query(`create role lease login password '${password}';
      grant create on schema public to lease`),
  );
  const login = {
    id: "lease",
    username: "lease",
    host: cluster.host,
    port: cluster.port,
    dbname: "orders",
    tls: "verify-full",
  } as const;
  return {
    cluster,
    start: (options) => ProxyProcess.start({ bundle, login, password, ca: cluster.ca, ...options }),
    admin: (text) => withAdmin(cluster, async (admin) => (await admin.query(text)).rows),
  };
}

/** Say what must hold, with the figures. */
export function check(holds: boolean, claim: string): void {
  if (!holds) throw new Error(`does not hold: ${claim}`);
}

export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
