import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { PricedTemplate } from "../cost/monthly-cost.ts";
import type { Deployer } from "./deployer.ts";
import { SANDBOX, type SandboxVersion, sandboxApp } from "./sandbox-app.ts";

/** A project in which the CDK's command line is installed. */
export interface Project {
  readonly folder: string;
  /** The `cdk` program. */
  readonly cdk: string;
}

/** The nearest project, from a folder upwards, in which `cdk` is installed. */
export function projectAt(folder: string): Project | undefined {
  const cdk = join(folder, "node_modules", ".bin", "cdk");
  if (existsSync(cdk)) return { folder, cdk };
  const parent = dirname(folder);
  return parent === folder ? undefined : projectAt(parent);
}

/** The CDK's command line failed. */
export class CdkFailed extends Error {}

/** A stack name that no other run uses. */
export const newStackName = (): string => `MayflyVerify-${randomBytes(3).toString("hex")}`;

interface CdkOptions {
  readonly stackName: string;
  /** Called with the output of the CDK's command line. */
  readonly onOutput: (text: string) => void;
}

/**
 * Deploy the sandbox with the `cdk` of a project. The app is in a folder of the project while it is
 * needed, so that Node resolves its imports like those of the project's own app.
 */
export function cdkDeployer(
  { folder: project, cdk }: Project,
  { stackName, onOutput }: CdkOptions,
): Deployer {
  const folder = mkdtempSync(join(project, ".mayfly-verify-"));
  const assembly = join(folder, "cdk.out");
  const run = (args: readonly string[], signal?: AbortSignal): Promise<void> =>
    runCdk({ cdk, project, onOutput }, args, signal);
  const synthesize = async (version: SandboxVersion, signal: AbortSignal): Promise<void> => {
    const name = `${version}.mjs`;
    writeFileSync(join(folder, name), sandboxApp(stackName, version));
    rmSync(assembly, { recursive: true, force: true });
    // a shell runs it in the project's folder; the text needs no quoting
    const app = `node ${basename(folder)}/${name}`;
    await run(["synth", stackName, "--app", app, "--output", assembly, "--quiet"], signal);
  };
  const deployAssembly = (signal: AbortSignal): Promise<void> =>
    run(["deploy", stackName, "--app", assembly, "--require-approval", "never"], signal);
  let deployed = false;
  return {
    stackName,
    consumer: SANDBOX.consumer,
    role: SANDBOX.role,
    synthesize: async (signal) => {
      await synthesize("first", signal);
      return templatesIn(assembly);
    },
    deploy: async (signal) => {
      if (deployed) await synthesize("changed", signal);
      deployed = true;
      await deployAssembly(signal);
    },
    destroy: () => run(["destroy", stackName, "--app", assembly, "--force"]),
    removeFiles: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const templatesIn = (folder: string): readonly PricedTemplate[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".template.json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as PricedTemplate);

/** Number of last lines of output in the error. */
const LAST_LINES = 15;

interface Cdk {
  readonly cdk: string;
  readonly project: string;
  readonly onOutput: (text: string) => void;
}

/** @throws CdkFailed with its last lines; also if the signal aborts it, after it ended. */
async function runCdk(
  { cdk, project, onOutput }: Cdk,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  // a separate session: this process decides whether it passes on Ctrl-C
  const child = spawn(cdk, args, {
    cwd: project,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  const take = (chunk: Buffer): void => {
    text = `${text}${chunk.toString()}`.slice(-20_000);
    onOutput(chunk.toString());
  };
  child.stdout.on("data", take);
  child.stderr.on("data", take);
  const stop = (): void => endAll(child);
  signal?.addEventListener("abort", stop);
  try {
    const status = await ended(child);
    signal?.throwIfAborted();
    if (status === 0) return;
    const last = text.trim().split("\n").slice(-LAST_LINES).join("\n");
    throw new CdkFailed(`cdk ${args[0]} ended with status ${status}:\n${last}`);
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

const ended = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status) => resolve(status));
  });

/** The program and its children: the app and builds of assets. */
function endAll({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
