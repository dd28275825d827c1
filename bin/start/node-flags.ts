/** The commands that hold a lease and pass a server's bytes on, for minutes or months. */
const PROXY_COMMANDS: ReadonlySet<string> = new Set(["agent", "connect", "exec", "psql"]);

/** The oldest Node that runs them. */
export const OLDEST_NODE = 24;

/**
 * How Node must be started for them. SIGUSR1 would open a debugger on 127.0.0.1 for every user of
 * the machine. Small heaps keep the memory flat over thousands of connections, at no cost in speed.
 */
export const NODE_FLAGS: readonly string[] = [
  "--disable-sigusr1",
  "--max-semi-space-size=1",
  "--max-old-space-size=64",
];

/** Where NODE_OPTIONS is kept for the command of `mayfly exec`, if this program went without it. */
const KEPT_OPTIONS = "MAYFLY_NODE_OPTIONS";

/** A process as it was started. */
export interface Started {
  /** The command's name. Undefined if there is none. */
  readonly command: string | undefined;
  /** What stands after the command. @default - nothing */
  readonly args?: readonly string[];
  /** The options of Node on its command line. */
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** E.g. `24.21.0`. */
  readonly node: string;
}

/** How to start the process again: its options of Node, and its environment. */
export interface Restart {
  readonly execArgv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Whether Node opens a debugger for these options. */
const opensInspector = (options: string | undefined): boolean =>
  /(?:^|[\s"'])--(?:inspect|debug)/.test(options ?? "");

/** The name of an option of Node, without its value. */
const nameOf = (option: string): string => option.replace(/=.*$/s, "").replaceAll("_", "-");

/**
 * How this process must be started again before it does anything. Undefined if it may go on: it
 * runs no proxy, has its flags already, or runs on a Node that a command will refuse.
 */
export function decideRestart(started: Started): Restart | undefined {
  const { command, args = [], execArgv, env, node } = started;
  if (!PROXY_COMMANDS.has(command ?? "") || Number.parseInt(node, 10) < OLDEST_NODE)
    return undefined;
  // a question of milliseconds, every few seconds
  if (command === "agent" && args.includes("--ready")) return undefined;
  const given = new Set(execArgv.map(nameOf));
  const missing = NODE_FLAGS.filter((flag) => !given.has(nameOf(flag)));
  const isInspected = opensInspector(env.NODE_OPTIONS);
  if (missing.length === 0 && !isInspected) return undefined;
  const { NODE_OPTIONS, ...others } = env;
  const options = isInspected
    ? { [KEPT_OPTIONS]: NODE_OPTIONS }
    : NODE_OPTIONS !== undefined && { NODE_OPTIONS };
  return {
    execArgv: [...execArgv, ...missing],
    env: Object.fromEntries(
      Object.entries({ ...others, ...options }).filter(
        (entry): entry is [string, string] => entry[1] !== undefined,
      ),
    ),
  };
}

/** The environment that this process was first started with. */
export function firstEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const { [KEPT_OPTIONS]: kept, ...others } = env;
  return kept === undefined ? others : { ...others, NODE_OPTIONS: kept };
}
