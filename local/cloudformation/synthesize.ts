import { execFile } from "node:child_process";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { configPath, loadConfig } from "../../bin/load-config.ts";
import { tempFolder } from "../temp-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");

/** A cloud assembly in a temp folder. */
export interface SynthesizedStack {
  readonly folder: string;
  /** Safe to repeat. */
  readonly remove: () => void;
}

/**
 * Bundle the functions and synthesize the stack of `mayfly.config.ts`, or of the file that
 * `MAYFLY_CONFIG` names, as `npm run synth` does.
 *
 * @throws Error with the configuration's problems when it has any, or with what of it does not run
 *   on one machine; also when the signal aborts it.
 */
export async function synthesizeConfigured(signal?: AbortSignal): Promise<SynthesizedStack> {
  const MAYFLY_CONFIG = configPath(process.env.MAYFLY_CONFIG ?? join(ROOT, "mayfly.config.ts"));
  assertRunsHere(basename(MAYFLY_CONFIG), (await loadConfig(MAYFLY_CONFIG)).databases);
  const { path: folder, remove } = tempFolder("assembly");
  const env = { ...process.env, MAYFLY_CONFIG, CDK_OUTDIR: folder, CDK_VALIDATION: "false" };
  const options = { cwd: ROOT, env, ...(signal && { signal }) };
  try {
    await run(process.execPath, ["build.ts"], options);
    await run(process.execPath, [join("bin", "app.ts")], options);
  } catch (error) {
    remove();
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(stderr?.trim() || message, { cause: error });
  }
  return { folder, remove };
}

type Databases = Awaited<ReturnType<typeof loadConfig>>["databases"];

/** There is one PostgreSQL here, and a host of the configuration's would be a real one. */
function assertRunsHere(file: string, databases: Databases): void {
  const rule = "the local runner runs a configuration with one sandbox";
  for (const [name, { target }] of Object.entries(databases))
    if (target !== undefined) throw new Error(`${rule}; database ${name} has a host`);
  const names = Object.keys(databases);
  if (names.length > 1)
    throw new Error(`${rule}; ${file} has ${names.length} sandboxes: ${names.join(", ")}`);
}
