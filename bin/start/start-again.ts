import { decideRestart } from "./node-flags.ts";

/**
 * Replace this process by one with the flags that the command needs. It stays the same process for
 * shells and supervisors: signals and the exit status need nobody to forward them. Returns if the
 * process may go on as it is.
 *
 * @param command its name, e.g. `exec`.
 */
export function startAgain(command: string | undefined): void {
  const { execArgv, execPath, env, versions } = process;
  const [, program = "", ...argv] = process.argv;
  const restart = decideRestart({ command, args: argv, execArgv, env, node: versions.node });
  // Windows cannot replace a process, and has no SIGUSR1 either
  if (restart === undefined || process.platform === "win32") return;
  process.execve?.(execPath, [execPath, ...restart.execArgv, program, ...argv], restart.env);
}
