import type { Socket } from "node:net";
import { seconds } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";

/** How long the other side has for reading the last bytes and closing too. */
const PATIENCE = seconds(5);

/** Send `last`, close, and do not wait forever for the other side. What still comes is discarded. */
export function endSocket(socket: Socket, time: ClientTime, last?: Buffer): void {
  if (socket.destroyed) return;
  const closed = new AbortController();
  socket.once("close", () => closed.abort());
  if (last === undefined) socket.end();
  else socket.end(last);
  // a socket with unread bytes is reset when it closes, and the last words are lost
  socket.resume();
  void time.wait(PATIENCE, closed.signal).then(() => socket.destroy());
}
