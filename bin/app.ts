import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { App } from "aws-cdk-lib";
import { parseConfig } from "../core/config/config.ts";
import { ConfigError } from "../core/errors.ts";
import { MayflyStack } from "../lib/index.ts";

const ROOT = join(import.meta.dirname, "..");

/** sysexits.h: EX_CONFIG. */
const EX_CONFIG = 78;

/** The configuration that a file exports, checked. */
async function loadConfig(path: string): Promise<ReturnType<typeof parseConfig>> {
  if (!existsSync(path))
    throw new ConfigError(`${path} does not exist; write it, or name another with MAYFLY_CONFIG`);
  const module: { readonly default?: unknown } = await import(pathToFileURL(path).href);
  return parseConfig(module.default);
}

async function main(): Promise<number> {
  const outdir = process.env.CDK_OUTDIR ?? join(ROOT, "cdk.out");
  const app = new App({ outdir, autoSynth: false });
  const named: unknown = app.node.tryGetContext("config") ?? process.env.MAYFLY_CONFIG;
  const path = typeof named === "string" ? resolve(named) : join(ROOT, "mayfly.config.ts");
  try {
    const config = await loadConfig(path);
    new MayflyStack(app, "Mayfly", { config });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(`${path}\n${error.message}`);
    return EX_CONFIG;
  }
  app.synth();
  return 0;
}

process.exitCode = await main();
