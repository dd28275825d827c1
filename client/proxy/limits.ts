import { readFileSync } from "node:fs";
import { type Duration, seconds } from "../../core/time.ts";

/** Bounds of a proxy. */
export interface ProxyLimits {
  /** Clients at once. Further ones read SQLSTATE 53300. @default - from the descriptor limit */
  readonly clients: number;
  /** Logins at the server at once; further ones wait. @default 64 */
  readonly logins: number;
  /** For a client's startup packet and password. @default 10 seconds */
  readonly startup: Duration;
  /**
   * For everything up to the server's first ReadyForQuery, with a lease to be issued and a second
   * try. @default 20 seconds
   */
  readonly login: Duration;
}

/** Descriptors that are no session's: the program's own, calls to AWS, clients to be refused. */
const RESERVED = 64;
/** Where nobody says how many there are. Linux's usual soft limit. */
const USUAL_DESCRIPTORS = 1_024;

/**
 * Each client takes two descriptors. With a small limit half of it is reserved: 16 clients of 64.
 *
 * @param descriptors the process's soft limit of open files.
 */
export const clientsFor = (descriptors: number): number =>
  Math.max(1, Math.floor((descriptors - Math.min(RESERVED, descriptors / 2)) / 2));

/** More than a laptop's memory has room for. */
const MOST_CLIENTS = 10_000;

/** The limits for this process. */
export function processLimits(): ProxyLimits {
  return {
    clients: Math.min(MOST_CLIENTS, clientsFor(openFilesLimit() ?? USUAL_DESCRIPTORS)),
    logins: 64,
    startup: seconds(10),
    login: seconds(20),
  };
}

/** The soft limit of open files. Undefined where the system does not say. */
function openFilesLimit(): number | undefined {
  try {
    const [, soft] =
      /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return openFilesInReport();
  }
}

/** Elsewhere than on Linux. Takes some milliseconds. */
function openFilesInReport(): number | undefined {
  const report = process.report.getReport() as {
    userLimits?: { open_files?: { soft?: number | string } };
  };
  const soft = report.userLimits?.open_files?.soft;
  if (soft === "unlimited") return Number.MAX_SAFE_INTEGER;
  return typeof soft === "number" ? soft : undefined;
}
