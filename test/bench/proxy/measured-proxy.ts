import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { build } from "esbuild";
import type { TestCluster } from "../../support/cluster.ts";
import type { Order, Report } from "./proxy-process.ts";

/** As images, units and sidecars start it. */
const FLAGS = ["--disable-sigusr1", "--max-semi-space-size=1", "--max-old-space-size=64"];

/** A proxy in a process of its own, in front of a server. */
export class MeasuredProxy {
  readonly #process: ChildProcess;
  readonly port: number;

  private constructor(process: ChildProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /** Bundles the program into `folder` first: Node's own compiler of TypeScript takes memory. */
  static async start(cluster: TestCluster, folder: string): Promise<MeasuredProxy> {
    const program = join(folder, "proxy.mjs");
    await build({
      entryPoints: [join(import.meta.dirname, "proxy-process.ts")],
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node24",
    });
    const child = fork(program, { execArgv: FLAGS });
    const { host, port, ca, masterUsername, masterPassword } = cluster;
    const login = { id: "bench", username: masterUsername, host, port, dbname: "orders" };
    const order: Order = {
      kind: "serve",
      login: { ...login, tls: "verify-full" },
      password: masterPassword,
      ca,
    };
    const said = await ask(child, order);
    if (said.kind !== "listening")
      throw new Error(`the proxy does not listen but says ${said.kind}`);
    return new MeasuredProxy(child, said.port);
  }

  /** CPU since its start. Microseconds. */
  async cpu(): Promise<number> {
    const said = await ask(this.#process, { kind: "measure" });
    if (said.kind !== "measured")
      throw new Error(`the proxy measures nothing but says ${said.kind}`);
    return said.cpu;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.disconnect();
    await once(this.#process, "exit");
  }
}

async function ask(child: ChildProcess, order: Order): Promise<Report> {
  child.send(order);
  const [said] = (await once(child, "message", { signal: AbortSignal.timeout(10_000) })) as [
    Report,
  ];
  return said;
}
