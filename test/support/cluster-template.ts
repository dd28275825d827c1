import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  installedBinaries,
  runnableBinaries,
  serverUser,
} from "../../local/postgres/postgres-binaries.ts";
import { newCluster, TEMPLATE } from "../../local/postgres/postgres-folder.ts";
import { tempFolder } from "../../local/temp-folder.ts";

/** Let initdb run once for all servers of a run. @returns what takes that away. */
export async function makeClusterTemplate(): Promise<() => void> {
  if (process.env[TEMPLATE] !== undefined) return () => {};
  const user = serverUser();
  const { path: folder, remove } = tempFolder("template");
  chmodSync(folder, 0o755);
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid);
  const binaries = process.env.MAYFLY_TEST_POSTGRES || installedBinaries();
  const native = runnableBinaries(binaries, user, folder);
  const password = await newCluster({ folder, native, user });
  writeFileSync(join(folder, "password"), password, { mode: 0o600 });
  writeFileSync(join(folder, "binaries"), binaries);
  process.env[TEMPLATE] = folder;
  return () => {
    delete process.env[TEMPLATE];
    remove();
  };
}
