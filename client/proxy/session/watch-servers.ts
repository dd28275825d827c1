import { seconds } from "../../../core/time.ts";
import type { ClientTime } from "../../time.ts";
import type { Session } from "./session.ts";

const EVERY = seconds(5);

/** End sessions whose server is silent and answers nobody else either, until `signal` aborts. */
export async function watchServers(
  sessions: ReadonlySet<Session>,
  time: ClientTime,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    await time.wait(EVERY, signal);
    if (signal.aborted) return;
    for (const session of sessions) void session.lookAtServer(signal);
  }
}
