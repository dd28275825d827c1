import { OLDEST_NODE } from "../start/node-flags.ts";
import { Exit, Failure } from "../terminal/exit.ts";

/** @throws Failure if this Node cannot run the proxy. */
export function needNode(command: string, node: string = process.versions.node): void {
  if (Number.parseInt(node, 10) >= OLDEST_NODE) return;
  throw new Failure(
    Exit.config,
    `mayfly ${command} needs Node ${OLDEST_NODE} or later, and this is Node ${node}; install a newer one`,
  );
}
