import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Stage } from "./stage.ts";
import type { Machine } from "./target.ts";

const ROOT = join(import.meta.dirname, "..");
const LEASE = "orders/brief";
/** The lines that `mayfly exec` logs last are the ones that say what is wrong. */
const LAST_LINES = 12;

/** What the application has counted since it began. */
export interface Counts {
  readonly queries: number;
  /** SQLSTATE of each statement that failed, or the message if it has none. */
  readonly failed: readonly string[];
  /** PostgreSQL users that its statements ran as. */
  readonly users: number;
}

/** `application.ts` behind `mayfly exec`, with user-service's IAM role and nothing else. */
export class ApplicationProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #lines: Interface;
  readonly #log: string[] = [];
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout });
    createInterface({ input: child.stderr }).on("line", (line) => this.#log.push(line));
    child.stdin.on("error", () => {}); // it ended: `counts` says so
    this.#ended = once(child, "close");
  }

  static async start({ target, userService, output }: Stage, { caFile }: Machine) {
    const { accessKeyId, secretAccessKey, sessionToken } = await userService.config.credentials();
    const command = [process.execPath, join(ROOT, "demo", "application.ts")];
    const child = spawn(
      process.execPath,
      [join(ROOT, "bin", "mayfly.ts"), "exec", LEASE, "--ca", caFile, "--", ...command],
      {
        stdio: "pipe",
        env: {
          PATH: process.env.PATH,
          AWS_ENDPOINT_URL: target.clients.endpoint,
          AWS_ACCESS_KEY_ID: accessKeyId,
          AWS_SECRET_ACCESS_KEY: secretAccessKey,
          AWS_SESSION_TOKEN: sessionToken,
          MAYFLY_LEASE_ORDERS_BRIEF: `${output("OrdersIssuerArn")}:user-service--brief`,
        },
      },
    );
    return new ApplicationProcess(child);
  }

  /** @throws Error with what it logged last, if it has ended. */
  async counts(): Promise<Counts> {
    const abort = new AbortController();
    const answered = once(this.#lines, "line", { signal: abort.signal });
    this.#child.stdin.write("\n");
    const line = await Promise.race([answered, this.#ended.then(() => undefined)]);
    if (line !== undefined) return JSON.parse(line[0]);
    answered.catch(() => {});
    abort.abort();
    throw new Error(`the application ended: ${this.lastWords}`);
  }

  /** What `mayfly exec` logged last. */
  get lastWords(): string {
    return this.#log.slice(-LAST_LINES).join("; ");
  }

  /** Let it finish: it closes its connections, and `mayfly exec` revokes its leases. */
  async stop(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }
}
