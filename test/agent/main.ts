import { tempFolder } from "../../local/temp-folder.ts";
import { startCluster } from "../support/cluster.ts";
import { ENDS } from "./ends.ts";
import { FAILURES } from "./failures.ts";
import { FIGURES } from "./figures.ts";
import { KILLS } from "./kills.ts";
import { makeStage } from "./stage.ts";

/** The agent's process, on a real server. Arguments: parts of names, to run only these cases. */
async function main(only: readonly string[]): Promise<number> {
  const { path: folder, remove } = tempFolder("agent");
  const own = await startCluster(["max_connections=300"]);
  const counts = { passed: 0, failed: 0, skipped: 0 };
  try {
    const stage = await makeStage(own, folder);
    for (const { name, run } of [...KILLS, ...ENDS, ...FAILURES, ...FIGURES]) {
      if (only.length > 0 && !only.some((part) => name.includes(part))) continue;
      const started = performance.now();
      const seconds = (): string => `${((performance.now() - started) / 1_000).toFixed(1)} s`;
      try {
        const seen = await run(stage);
        const isSkipped = seen.startsWith("skipped");
        counts[isSkipped ? "skipped" : "passed"] += 1;
        console.log(`${isSkipped ? "skipped " : "ok      "} ${name}: ${seen} (${seconds()})`);
      } catch (error) {
        counts.failed += 1;
        console.log(`FAILED   ${name}: ${String(error)} (${seconds()})`);
      } finally {
        await stage.tidy();
      }
    }
    await stage.close();
  } finally {
    await own.server.stop();
    remove();
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  return counts.failed === 0 ? 0 : 1;
}

process.exitCode = await main(process.argv.slice(2));
