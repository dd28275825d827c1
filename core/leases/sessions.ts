import { milliseconds } from "../time.ts";
import type { LeaseDeps, SessionsEnded } from "./ports.ts";

/** Attempts to end all sessions, with a pause between them while some remain. */
const ATTEMPTS = 10;
const PAUSE = milliseconds(50);

/**
 * End a role's sessions until a whole round finds none, or the attempts are used up. Those that
 * were ended `before` are counted in.
 */
export async function endAllSessions(
  { ledger, time }: Pick<LeaseDeps, "ledger" | "time">,
  { oid, username }: { readonly oid: number; readonly username: string },
  before: readonly SessionsEnded[] = [],
): Promise<readonly SessionsEnded[]> {
  const totals = new Map(before.map((each) => [each.server, each]));
  for (let left = ATTEMPTS; left > 0; left--) {
    const round = await ledger.endSessions(oid, username);
    for (const { server, ended, remaining } of round) {
      const sum = (totals.get(server)?.ended ?? 0) + ended;
      totals.set(server, { server, ended: sum, remaining });
    }
    if (round.every(({ ended, remaining }) => ended === 0 && remaining === 0)) break;
    if (round.some(({ remaining }) => remaining > 0)) await time.wait(PAUSE);
  }
  return [...totals.values()];
}
