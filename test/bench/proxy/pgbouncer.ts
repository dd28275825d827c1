import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { serverUser } from "../../../local/postgres/postgres-binaries.ts";
import { freePort } from "../../../local/postgres/postgres-server.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import type { TestCluster } from "../../support/cluster.ts";
import { eventually } from "../../support/eventually.ts";

/** Linux counts a process's CPU in hundredths of a second. Microseconds. */
const TICK = 10_000;

/** pgbouncer in session mode, which logs in as the proxy does: what such a hop takes elsewhere. */
export class MeasuredPgbouncer {
  readonly #process: ChildProcess;
  readonly #remove: () => void;
  readonly port: number;

  private constructor(process: ChildProcess, port: number, remove: () => void) {
    this.#process = process;
    this.port = port;
    this.#remove = remove;
  }

  static async start(cluster: TestCluster, caFile: string): Promise<MeasuredPgbouncer> {
    const { path: folder, remove } = tempFolder("pgbouncer");
    const port = await freePort();
    const { host, masterUsername, masterPassword } = cluster;
    const ini = join(folder, "pgbouncer.ini");
    writeFileSync(
      ini,
      `[databases]
orders = host=${host} port=${cluster.port} user=${masterUsername} password=${masterPassword}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
server_tls_sslmode = verify-full
server_tls_ca_file = ${caFile}
`,
      { mode: 0o600 },
    );
    // it does not run as root
    const { uid, gid } = serverUser();
    if (uid !== undefined && gid !== undefined) chownSync(ini, uid, gid);
    chmodSync(folder, 0o755);
    const child = spawn("pgbouncer", ["-q", ini], { stdio: "ignore", uid, gid });
    await eventually(() => answers(port), { within: 10_000 });
    return new MeasuredPgbouncer(child, port, remove);
  }

  /** CPU since its start. Microseconds. */
  cpu(): number {
    const stat = readFileSync(`/proc/${this.#process.pid}/stat`, "utf8");
    // behind the name, which may hold spaces: utime and stime are fields 14 and 15
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) * TICK;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
    this.#remove();
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
