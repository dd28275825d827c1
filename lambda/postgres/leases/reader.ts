import type { Reader } from "../../../core/leases/lease-ports.ts";
import { type CallDeps, call } from "./call.ts";
import { endSessions } from "./engine.ts";
import { findWatched } from "./watched.ts";

export interface ReaderDeps extends CallDeps {
  /** The reader's name in receipts. */
  readonly server: string;
}

/**
 * One reader, over a connection to its replica of the maintenance database, with the read-only
 * verbs.
 */
export function postgresReader(deps: ReaderDeps): Reader {
  return {
    server: deps.server,
    look: async (roles) =>
      (await endSessions(deps, roles, true)).map(({ state, replays, ended, remaining, who }) => ({
        role: state,
        replays,
        ended,
        remaining,
        ...who,
      })),
    countSessions: async ({ username, incarnation }) => {
      const rows = await call<{ incarnation: string | null; sessions: number }>(deps, "look", 0, [
        username,
      ]);
      return rows.find((row) => row.incarnation === incarnation)?.sessions ?? 0;
    },
    sessionsWithoutRole: async () => {
      const rows = await call<{ kind: string; subject: string }>(deps, "sweep", 0, []);
      return rows.filter(({ kind }) => kind === "session").map(({ subject }) => subject);
    },
    findWatched: () => findWatched(deps),
  };
}
