import { milliseconds } from "../time.ts";
import type { Incarnate, LeaseDeps, SessionSeen, SessionsEnded } from "./lease-ports.ts";

/** Attempts to end all sessions, with a pause between them while some remain. */
const ATTEMPTS = 10;
const PAUSE = milliseconds(50);

/** Most sessions of a lease on one server that a receipt names. */
const NAMED = 10;

/** The sessions that several rounds have seen. */
export const bothSeen = (
  earlier: readonly SessionSeen[] = [],
  later: readonly SessionSeen[] = [],
): { readonly who?: readonly SessionSeen[] } => {
  const who = [...earlier, ...later].slice(0, NAMED);
  return who.length > 0 ? { who } : {};
};

/**
 * End the sessions of roles on the writer until a whole round finds none, or the attempts are used
 * up. Answers for each role, in the same order.
 */
export async function endAllSessions(
  { engine, time }: Pick<LeaseDeps, "engine" | "time">,
  roles: readonly Incarnate[],
): Promise<readonly SessionsEnded[]> {
  const seen: SessionsEnded[] = [];
  let open = roles.map((role, index) => ({ role, index }));
  for (let left = ATTEMPTS; left > 0 && open.length > 0; left--) {
    const round = await engine.endSessions(open.map(({ role }) => role));
    const again: typeof open = [];
    for (const [i, each] of open.entries()) {
      const found = round[i];
      if (found === undefined) throw new Error("the engine has not answered for every role");
      const before = seen[each.index];
      seen[each.index] = {
        ...found,
        ended: (before?.ended ?? 0) + found.ended,
        ...bothSeen(before?.who, found.who),
      };
      if (found.ended > 0 || found.remaining > 0) again.push(each);
    }
    open = again;
    if (round.some(({ remaining }) => remaining > 0)) await time.wait(PAUSE);
  }
  return seen;
}
