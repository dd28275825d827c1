import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { configPath, loadConfig } from "../../bin/load-config.ts";
import { COMPILE_CACHE } from "../compile-cache.ts";
import { HOST } from "../postgres/postgres-server.ts";
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
 * The path of the configuration: the argument, or `MAYFLY_CONFIG`, or the shipped configuration.
 */
export const configToRun = (named: string | undefined): string =>
  configPath(named ?? process.env.MAYFLY_CONFIG ?? join(ROOT, "mayfly.config.ts"));

/**
 * Bundle the functions and synthesize the stack of a configuration, as `npm run synth` does: of
 * `configFile`, or of the file that `MAYFLY_CONFIG` names, or of `mayfly.config.ts`.
 *
 * @throws Error with the configuration's problems, or if a host is not this machine, or if the
 *   signal aborts it.
 */
export async function synthesizeConfigured(
  signal?: AbortSignal,
  configFile?: string,
): Promise<SynthesizedStack> {
  const MAYFLY_CONFIG = configToRun(configFile);
  assertRunsHere((await loadConfig(MAYFLY_CONFIG)).databases);
  const { path: folder, remove } = tempFolder("assembly");
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: COMPILE_CACHE,
    MAYFLY_CONFIG,
    CDK_OUTDIR: folder,
    CDK_VALIDATION: "false",
  };
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

/** The local runner must not reach a real server. */
function assertRunsHere(databases: Databases): void {
  for (const [name, { target }] of Object.entries(databases))
    if (target !== undefined && target.host !== HOST)
      throw new Error(
        `database ${name} has the host ${target.host}, which is not this machine; give prepareConfiguration the configuration first`,
      );
}
