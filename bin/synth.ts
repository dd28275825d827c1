import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { costTable } from "./cost/cost-table.ts";
import { monthlyCost } from "./cost/monthly-cost.ts";

// run the app without the CDK's command line: this needs no credentials and no network
const outdir = process.env.CDK_OUTDIR ?? join(import.meta.dirname, "..", "cdk.out");
rmSync(outdir, { recursive: true, force: true });
process.env.CDK_OUTDIR = outdir;
await import("./app.ts");
if (process.exitCode === 0) {
  // a script may read only the path and then close the pipe (| head -1)
  process.stdout.on("error", () => {});
  console.log(`synthesized into ${outdir}`);
  const templates = readdirSync(outdir)
    .filter((file) => file.endsWith(".template.json"))
    .map((file) => JSON.parse(readFileSync(join(outdir, file), "utf8")));
  console.log(`\n${costTable(monthlyCost(templates))}`);
}
