import { rmSync } from "node:fs";
import { join } from "node:path";

// the app alone, without the CDK's command line: nothing here needs credentials or a network
const outdir = process.env.CDK_OUTDIR ?? join(import.meta.dirname, "..", "cdk.out");
rmSync(outdir, { recursive: true, force: true });
process.env.CDK_OUTDIR = outdir;
await import("./app.ts");
if (process.exitCode === 0) console.log(`synthesized into ${outdir}`);
