import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import {
  installedBinaries,
  runnableBinaries,
  serverUser,
} from "../../local/postgres/postgres-binaries.ts";
import { freePort, Server } from "../../local/postgres/postgres-server.ts";
import { tempFolder } from "../../local/temp-folder.ts";
import type { OwnServer, TestCluster } from "./cluster.ts";
import { runAs, type TestDatabase } from "./provisioned.ts";

/** A second server on a copy of another's files, as a snapshot makes it. */
export interface CopiedServer {
  readonly cluster: TestCluster;
  stop(): Promise<void>;
}

/** The folder that holds a server's `data`, while it runs. */
export async function folderOf({ superuser }: Pick<TestDatabase, "superuser">): Promise<string> {
  const [row] = await runAs(superuser(), "show data_directory");
  return dirname(String(row?.data_directory));
}

/** Copy the folder of a server that is shut down. `start` starts the copy, on a port of its own. */
export function copyOf({ cluster }: OwnServer, from: string) {
  const { path: folder, remove } = tempFolder("copy");
  execFileSync("cp", ["-a", `${from}/.`, folder]);
  const user = serverUser();
  const binaries = process.env.MAYFLY_TEST_POSTGRES || installedBinaries();
  return {
    data: join(folder, "data"),
    start: async (): Promise<CopiedServer> => {
      const port = await freePort();
      const native = runnableBinaries(binaries, user, folder);
      const server = new Server({ native, folder, port, user, settings: [] });
      await server.start();
      const stop = async () => {
        await server.end("SIGINT");
        remove();
      };
      return { cluster: { ...cluster, port }, stop };
    },
  };
}

/** The same database on another port: what a copy of its server has. */
export function onPort(test: TestDatabase, port: number): TestDatabase {
  const there = <Login>(login: Login): Login => ({ ...login, port });
  return {
    ...test,
    admin: (name) => there(test.admin(name)),
    superuser: (name) => there(test.superuser(name)),
    as: (...given) => there(test.as(...given)),
    issuerLogin: async (which) => there(await test.issuerLogin(which)),
    janitor: async () => there(await test.janitor()),
  };
}
