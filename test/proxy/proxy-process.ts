import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { NODE_FLAGS } from "../../bin/start/node-flags.ts";
import type { ProxyEvent } from "../../client/proxy/proxy-events.ts";
import type { ServeOptions, ServeReport } from "./serve.ts";

/** Bundle the proxy as the package has it: one file, nothing to be compiled at start. */
export async function bundleProxy(folder: string): Promise<string> {
  const outfile = join(folder, "serve.mjs");
  await build({
    entryPoints: [join(import.meta.dirname, "serve.ts")],
    outfile,
    bundle: true,
    minify: true,
    platform: "node",
    target: "node24",
    format: "esm",
    splitting: false,
    banner: {
      js: 'import{createRequire}from"node:module";const require=createRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  return outfile;
}

/** How to start a proxy. */
export interface StartOptions extends ServeOptions {
  readonly bundle: string;
  /** Soft limit of open files. */
  readonly descriptors?: number;
}

/** A proxy in a process of its own, under the flags that the package starts it with. */
export class ProxyProcess implements AsyncDisposable {
  readonly events: ProxyEvent[] = [];
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ event }: { event?: ProxyEvent }) => event && this.events.push(event));
  }

  static async start({ bundle, descriptors, ...options }: StartOptions) {
    const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors}; `;
    const node = [process.execPath, ...NODE_FLAGS, bundle];
    const child = spawn("sh", ["-c", `${limit}exec "$@"`, "sh", ...node], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    const running = new ProxyProcess(child);
    child.send(options);
    await running.#next<{ ready?: true }>(({ ready }) => ready === true);
    return running;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async report(): Promise<ServeReport & { readonly descriptors: number }> {
    this.#child.send("report");
    const { report } = await this.#next<{ report: ServeReport }>(
      ({ report }) => report !== undefined,
    );
    return { ...report, descriptors: readdirSync(`/proc/${this.pid}/fd`).length };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.isAlive) this.#child.kill("SIGKILL");
    else return;
    await ended;
  }

  #next<Message>(isIt: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve, reject) => {
      const look = (message: Message): void => {
        if (!isIt(message)) return;
        this.#child.off("message", look);
        resolve(message);
      };
      this.#child.on("message", look);
      this.#child.once("exit", (code) => reject(new Error(`the proxy ended with ${code}`)));
    });
  }
}
