import { spawnSync } from "node:child_process";
import { tempFolder } from "../../local/temp-folder.ts";
import { startCluster } from "../support/cluster.ts";
import { CASES } from "./cases.ts";
import { halfOpen, whyNoNamespaces } from "./half-open.ts";
import { bundleProxy } from "./proxy-process.ts";
import { makeStage } from "./stage.ts";

/** Set in the network namespace that is this run's own. */
const OWN_NETWORK = "MAYFLY_OWN_NETWORK";

/** Run all of it where packets may be lost. @returns the exit status. */
function runInOwnNetwork(args: readonly string[]): number {
  const command = ["ip link set lo up; exec", process.execPath, import.meta.filename, '"$@"'];
  const { status } = spawnSync("unshare", ["--net", "sh", "-c", command.join(" "), "sh", ...args], {
    stdio: "inherit",
    env: { ...process.env, [OWN_NETWORK]: "1" },
  });
  return status ?? 1;
}

/** What takes minutes, or another kernel's help. Arguments: parts of names, to run only these. */
async function main(only: readonly string[]): Promise<number> {
  const missing = whyNoNamespaces();
  if (missing === undefined && process.env[OWN_NETWORK] === undefined) return runInOwnNetwork(only);
  const { path: folder, remove } = tempFolder("proxy");
  const own = await startCluster(["max_connections=1100"]);
  let failures = 0;
  try {
    const stage = await makeStage(own.cluster, await bundleProxy(folder));
    for (const { name, run } of [...CASES, halfOpen]) {
      if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
      if (name === halfOpen.name && missing !== undefined) {
        console.log(`skipped  ${name}: ${missing}`);
        continue;
      }
      const started = performance.now();
      try {
        const seen = await run(stage);
        console.log(`ok       ${name}: ${seen} (${secondsSince(started)} s)`);
      } catch (error) {
        failures += 1;
        console.log(`FAILED   ${name}: ${String(error)} (${secondsSince(started)} s)`);
      }
    }
  } finally {
    await own.server.stop();
    remove();
  }
  return failures === 0 ? 0 : 1;
}

const secondsSince = (started: number): string =>
  ((performance.now() - started) / 1_000).toFixed(1);

process.exitCode = await main(process.argv.slice(2));
