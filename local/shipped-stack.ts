import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { tempFolder } from "./temp-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "..");

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
 * @throws Error with the configuration's problems when it has any.
 */
export async function synthesizeShipped(): Promise<SynthesizedStack> {
  const { path: folder, remove } = tempFolder("assembly");
  const env = { ...process.env, CDK_OUTDIR: folder, CDK_VALIDATION: "false" };
  try {
    await run(process.execPath, ["build.ts"], { cwd: ROOT, env });
    await run(process.execPath, [join("bin", "app.ts")], { cwd: ROOT, env });
  } catch (error) {
    remove();
    const { stderr, message } = error as Error & { stderr?: string };
    throw new Error(stderr?.trim() || message, { cause: error });
  }
  return { folder, remove };
}
