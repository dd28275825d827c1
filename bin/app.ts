import { readFileSync } from "node:fs";
import { join } from "node:path";
import { App } from "aws-cdk-lib";
import { ConfigError } from "../core/errors.ts";
import { MayflyStack } from "../lib/index.ts";
import { configPath, loadConfig } from "./load-config.ts";

const ROOT = join(import.meta.dirname, "..");

/** sysexits.h: EX_CONFIG. */
const EX_CONFIG = 78;

/** The context that the CDK's command line would pass: so both ways make the same template. */
function cdkContext(): Record<string, unknown> {
  const { context } = JSON.parse(readFileSync(join(ROOT, "cdk.json"), "utf8")) as {
    context: Record<string, unknown>;
  };
  return context;
}

async function main(): Promise<number> {
  const outdir = process.env.CDK_OUTDIR ?? join(ROOT, "cdk.out");
  const app = new App({ outdir, autoSynth: false, context: cdkContext() });
  const named: unknown = app.node.tryGetContext("config") ?? process.env.MAYFLY_CONFIG;
  const path = typeof named === "string" ? named : join(ROOT, "mayfly.config.ts");
  try {
    const config = await loadConfig(configPath(path));
    new MayflyStack(app, "Mayfly", { config });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return EX_CONFIG;
  }
  app.synth();
  return 0;
}

process.exitCode = await main();
