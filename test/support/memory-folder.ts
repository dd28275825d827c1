import { readFileSync, statfsSync } from "node:fs";

const FOLDER = "/dev/shm";
/** Bytes: what four servers with their databases take at most, several times over. */
const ROOM = 6 * 2 ** 30;

/**
 * A folder in memory for the temporary files of a run, where one is and has room: tests' servers
 * create and remove a hundred thousand files, which takes a quarter of their time on a disk.
 * Undefined on macOS, in containers with a small `/dev/shm`, or if programs cannot run there.
 */
export function memoryFolder(): string | undefined {
  try {
    const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
    const flags = mounts.find((line) => line.split(" ")[1] === FOLDER)?.split(" ")[3] ?? "noexec";
    const { bavail, bsize } = statfsSync(FOLDER);
    const isFit = !flags.split(",").includes("noexec") && bavail * bsize >= ROOM;
    return isFit && process.availableMemory() >= ROOM ? FOLDER : undefined;
  } catch {
    return undefined; // there is no such folder, or no way to ask
  }
}
