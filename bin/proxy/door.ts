import type { Door } from "./open-proxy.ts";

export interface DoorOptions {
  readonly socket?: boolean;
  readonly privateLoopback?: boolean;
}

/** How clients come in. @param port 0: a free one. */
export function doorFor({ socket, privateLoopback }: DoorOptions, port = 0): Door {
  if (socket === true) return { kind: "socket" };
  return { kind: privateLoopback === true ? "private-port" : "port", port };
}
