import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { boundToUs, type ServerUser } from "./postgres-binaries.ts";

/** The address of all servers. */
export const HOST = "127.0.0.1";

/** The log line of a started server. A standby accepts `read-only connections`. */
const READY = /ready to accept (?:read-only )?connections/;

/** How to start a server: programs, data folder, port and operating system user. */
export interface ServerOptions {
  readonly native: string;
  readonly folder: string;
  readonly port: number;
  readonly user: ServerUser;
  readonly settings: readonly string[];
  /** Called if a started server ends unexpectedly. */
  readonly onDeath?: ((line: string) => void) | undefined;
}

/** One postmaster. It can be stopped and started again with the same data and port. */
export class Server {
  readonly #options: ServerOptions;
  #process: ChildProcess | undefined;
  #isEnding = false;
  log = "";

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const from = this.log.length;
    const child = this.#spawn();
    this.#process = child;
    this.#isEnding = false;
    await new Promise<void>((resolve, reject) => {
      child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
        this.log += chunk;
        if (READY.test(this.log.slice(from))) resolve();
      });
      child.once("error", reject);
      child.once("exit", (status) =>
        reject(new Error(`postgres ended with ${status}: ${this.log.slice(from)}`)),
      );
    });
    child.once("exit", (status, signal) => {
      if (this.#isEnding) return;
      const last = this.log.trimEnd().split("\n").at(-1);
      this.#options.onDeath?.(`PostgreSQL ended with ${signal ?? status}, unexpectedly: ${last}`);
    });
  }

  #spawn(): ChildProcess {
    const { native, folder, port, user, settings } = this.#options;
    const { command, args, as } = boundToUs(
      join(native, "bin", "postgres"),
      [
        "-D",
        join(folder, "data"),
        "-p",
        String(port),
        ...fixedSettings(folder),
        ...settings.flatMap((s) => ["-c", s]),
      ],
      user,
    );
    return spawn(command, args, {
      ...as,
      env: { LC_ALL: "C.UTF-8", TZ: "UTC", PATH: "/usr/bin:/bin" },
      stdio: ["ignore", "ignore", "pipe"],
    });
  }

  async end(signal: "SIGINT" | "SIGKILL"): Promise<void> {
    const child = this.#process;
    this.#isEnding = true;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.kill(signal);
    });
  }
}

const fixedSettings = (folder: string): string[] =>
  [
    `listen_addresses=${HOST}`,
    "unix_socket_directories=",
    `hba_file=${join(folder, "pg_hba.conf")}`,
    "ssl=on",
    `ssl_cert_file=${join(folder, "server.crt")}`,
    `ssl_key_file=${join(folder, "server.key")}`,
    "max_connections=200",
    // in its own folder: a killed server would leave its segments in /dev/shm
    "dynamic_shared_memory_type=mmap",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
  ].flatMap((setting) => ["-c", setting]);

/** A free port of the loopback address. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, HOST, () => {
      const address = probe.address();
      probe.close(() =>
        address !== null && typeof address === "object"
          ? resolve(address.port)
          : reject(new Error("no free port")),
      );
    });
  });
}
