import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { eventually } from "./eventually.ts";

/** What a container without Docker needs of the machine. Undefined if it has all. */
export function missingForContainer(): string | undefined {
  if (process.platform !== "linux") return "Linux";
  if (process.getuid?.() !== 0) return "root";
  try {
    const script =
      "mount -t tmpfs tmpfs /mnt && setpriv --version && command -v chroot nsenter ldd";
    execFileSync("unshare", ["--pid", "--fork", "--mount", "sh", "-ec", script], {
      stdio: "ignore",
    });
    return undefined;
  } catch {
    return "unshare, mount, setpriv, chroot, nsenter and ldd, and the right to use them";
  }
}

export interface BareContainerOptions {
  /** A new folder for the root file system. */
  readonly root: string;
  /** Path in the container to a file here. */
  readonly files: Readonly<Record<string, string>>;
  /** Where Node is in the container. */
  readonly node: string;
  /** The folder of the memory volume. */
  readonly volume: string;
  /** Numbers of user and group. */
  readonly user: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Mounts, and then gives up everything: the command is PID 1 in a read-only root, as an ordinary
 * user who cannot become another.
 */
const START = `
root=$1 volume=$2 user=$3 mounted=$4; shift 4
mount --bind "$root" "$root"
for file in $mounted; do mount --bind "$file" "$root$file"; done
mount --bind "$NODE" "$root$NODE_AT"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777,size=16m,nosuid,nodev,noexec tmpfs "$root$volume"
mount -o remount,bind,ro "$root"
unset NODE NODE_AT
exec setpriv --no-new-privs --inh-caps=-all --clear-groups \\
  "$(command -v chroot)" --userspec="$user" "$root" "$@"
`;

/** What a program ended with. */
export interface Ended {
  readonly status: number | null;
  readonly text: string;
}

/** A process in namespaces and a root file system of its own, on this machine's network. */
export class BareContainer {
  /** Its first process, as this machine counts. */
  readonly pid: number;
  readonly ended: Promise<number | null>;
  readonly #options: BareContainerOptions;
  readonly #child: ChildProcess;
  #log = "";

  static async start(options: BareContainerOptions): Promise<BareContainer> {
    const { root, node, volume, files, user, command, env } = options;
    const libraries = librariesOf(process.execPath);
    for (const [at, file] of Object.entries(files)) {
      mkdirSync(dirname(join(root, at)), { recursive: true });
      copyFileSync(file, join(root, at));
      chmodSync(join(root, at), 0o644);
    }
    // what is mounted needs something to be mounted on
    const devices = ["/dev/null"];
    for (const at of [node, ...libraries, ...devices]) {
      mkdirSync(dirname(join(root, at)), { recursive: true });
      writeFileSync(join(root, at), "");
    }
    for (const at of [volume, "/proc"]) mkdirSync(join(root, at), { recursive: true });
    const mounted = [...libraries, ...devices].join(" ");
    const flags = ["--pid", "--fork", "--mount", "--kill-child"];
    const args = ["sh", "-ec", START, "sh", root, volume, user, mounted, ...command];
    const child = spawn("unshare", [...flags, ...args], {
      env: { ...env, NODE: process.execPath, NODE_AT: node },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const { pid: outer = 0 } = child;
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const pid = await eventually(() => childrenOf(outer)[0]);
    return new BareContainer(options, child, pid, ended);
  }

  private constructor(
    options: BareContainerOptions,
    child: ChildProcess,
    pid: number,
    ended: Promise<number | null>,
  ) {
    this.#options = options;
    this.#child = child;
    this.pid = pid;
    this.ended = ended;
    child.stderr?.on("data", (chunk) => {
      this.#log += chunk;
    });
  }

  /** What it has said on stderr. */
  get log(): string {
    return this.#log;
  }

  /** A file of the container, as its processes see it. */
  at(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  /** Run Node in it, as \`docker exec\` and probes do. */
  exec(args: readonly string[], env = this.#options.env): Promise<Ended> {
    const { node, user } = this.#options;
    const [uid = "", gid = ""] = user.split(":");
    const namespaces = ["--target", String(this.pid), "--mount", "--pid", "--root", "--wd"];
    const all = [...namespaces, "--setuid", uid, "--setgid", gid, node, ...args];
    return new Promise((resolve) => {
      const child = execFile("nsenter", all, { env }, (_, stdout, stderr) =>
        resolve({ status: child.exitCode, text: stdout + stderr }),
      );
    });
  }

  /** The states of all processes but the first, as ps has them: Z is one that nobody has buried. */
  othersIn(): readonly string[] {
    return childrenOf(this.pid).map(
      (pid) => /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "?",
    );
  }

  /** A line of /proc/<pid>/status. */
  status(name: string): string {
    const text = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return new RegExp(`^${name}:[ \\t]*(.*?) *$`, "m").exec(text)?.[1]?.replaceAll("\t", " ") ?? "";
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** End it at once, if it still runs. */
  async kill(): Promise<void> {
    // a process that became another user does not end with its parent
    if (this.#child.exitCode === null) this.signal("SIGKILL");
    await this.ended;
  }
}

/** Files with their sizes, below a folder. */
export function listed(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => statSync(join(folder, path)).isFile())
    .map((path) => `${path} ${statSync(join(folder, path)).size}`)
    .sort();
}

function childrenOf(pid: number): readonly number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

/** The libraries that a program links, with the one that loads them. */
function librariesOf(program: string): readonly string[] {
  const text = execFileSync("ldd", [program], { encoding: "utf8" });
  return [...text.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}
