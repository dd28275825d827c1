import { systemTime } from "../../../client/time.ts";
import { between, type Instant } from "../../../core/time.ts";
import type { StatusLine } from "../../terminal/status-line.ts";
import { count, span } from "../../terminal/table.ts";
import type { Running } from "./with-proxy.ts";

/** How often the countdown moves. Milliseconds. */
const TICK = 1_000;

/** Show who uses the lease and how long it lives, until `stopped`. */
export async function watchLease(
  running: Running,
  line: StatusLine,
  stopped: Promise<void>,
): Promise<void> {
  let newest = running.login;
  running.keeper.on("replaced", ({ login }) => {
    newest = login;
  });
  const show = (): void => {
    const ends = {
      expiresAt: running.expiresAt(newest.id),
      atMost: running.keeper.endOf(newest),
    };
    const words = countdown(running.open.sessions, ends, systemTime.now());
    line.show(`${running.wanted.name}: ${words}`);
  };
  show();
  const timer = setInterval(show, TICK);
  try {
    await stopped;
  } finally {
    clearInterval(timer);
    line.clear();
  }
}

/** What a lease is used for and how long it lives, in words. */
export function countdown(
  sessions: number,
  ends: { readonly expiresAt: Instant | undefined; readonly atMost: Instant | undefined },
  now: Instant,
): string {
  const { expiresAt = now, atMost = now } = ends;
  const left = between(now, expiresAt);
  if (sessions > 0)
    return `${count(sessions, "session")}; renewed, then replaced before ${span(between(now, atMost))} are over`;
  return left > 0
    ? `unused; the lease ends in ${span(left)}`
    : "unused; the lease is over, and the next connection asks for one";
}
