import { homedir } from "node:os";

/**
 * Give a process a home folder if its user has none, as in an image without `/etc/passwd`: AWS's SDK
 * looks for its own files there, and without one it calls nothing.
 */
export function ensureHome(
  env: Record<string, string | undefined>,
  findHome: () => string = homedir,
): void {
  try {
    findHome();
  } catch {
    // what container runtimes set for a user that nobody knows
    env.HOME = "/";
  }
}
