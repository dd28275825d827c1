import { reasonOf } from "../../reason.ts";
import { type Instant, iso } from "../../time.ts";
import type { LeaseDeps } from "../lease-ports.ts";
import { askReaders } from "../readers.ts";
import type { ServerLook, WatchedUser } from "../watched.ts";

/**
 * How many users are watched, and how many of them had a session; or why that is not known.
 */
export type WatchedSummary =
  | { readonly users: number; readonly seen: number }
  | { readonly reason: string };

type WatchDeps = Pick<LeaseDeps, "engine" | "readers" | "telemetry">;

/**
 * Look for the watched users on every server, and note who has sessions. Never rejects: leases are
 * more important.
 */
export async function lookAtWatched(
  deps: WatchDeps,
): Promise<{ readonly watched?: WatchedSummary }> {
  try {
    const writer = await deps.engine.findWatched();
    if (writer.users?.length === 0) return {};
    const { answers, unseen } = await askReaders(deps, (reader) => reader.findWatched());
    const looks: readonly ServerLook[] = [
      writer,
      ...answers,
      ...unseen.map(({ server }) => ({ server })),
    ];
    const users = await deps.engine.noteWatched(looks);
    for (const user of users) tell(deps, user);
    const present = looks
      .flatMap((look) => look.users ?? [])
      .filter(({ sessions }) => sessions > 0);
    const seen = new Set(present.map(({ username }) => username)).size;
    return { watched: { users: users.length, seen } };
  } catch (error) {
    return { watched: { reason: reasonOf(error) } };
  }
}

/** One line when a user is seen first, or again after a day without it: not one for each sweep. */
function tell({ telemetry }: WatchDeps, { username, news, servers }: WatchedUser): void {
  if (news === undefined) return;
  const present = servers.filter(
    ({ sessions, lookedAt, seenAt }) => sessions > 0 && lookedAt === seenAt,
  );
  telemetry.audit({
    event: "role.seen",
    username,
    news,
    servers: present.map(({ server, sessions }) => ({ server, sessions })),
    applications: [...new Set(present.flatMap(({ applications }) => applications))],
  });
}

/** A watched user in answers. Times are ISO 8601, UTC, by the database's clock. */
export interface WatchedView {
  readonly username: string;
  readonly role: WatchedUser["role"];
  readonly watchedSince: string;
  /** When a sweep last saw a session, on any server. Undefined if none has. */
  readonly seenAt?: string;
  readonly servers: readonly ServerView[];
}

/** What sweeps have noted on one server. */
export interface ServerView {
  readonly server: string;
  /**
   * In the last sweep: `looked`; `missed`, because it could not be reached; or `gone`, because it is
   * not one of the database's servers any more.
   */
  readonly state: "looked" | "missed" | "gone";
  readonly looks: number;
  readonly lookedAt?: string;
  readonly missedAt?: string;
  readonly seenAt?: string;
  readonly sessions: number;
  readonly applications: readonly string[];
}

/** The watched users, with what sweeps have noted until now. */
export const viewWatched = async ({
  engine,
}: Pick<LeaseDeps, "engine">): Promise<readonly WatchedView[]> =>
  (await engine.noteWatched([])).map(viewOfWatched);

export function viewOfWatched({ username, role, since, servers }: WatchedUser): WatchedView {
  const last = Math.max(
    ...servers.flatMap(({ lookedAt, missedAt }) => [lookedAt ?? 0, missedAt ?? 0]),
  );
  const seen = servers.flatMap(({ seenAt }) => seenAt ?? []);
  return {
    username,
    role,
    watchedSince: iso(since),
    ...(seen.length > 0 && { seenAt: iso(Math.max(...seen) as Instant) }),
    servers: servers.map(({ lookedAt, missedAt, seenAt, ...note }) => ({
      ...note,
      state: lookedAt === last ? "looked" : missedAt === last ? "missed" : "gone",
      ...(lookedAt !== undefined && { lookedAt: iso(lookedAt) }),
      ...(missedAt !== undefined && { missedAt: iso(missedAt) }),
      ...(seenAt !== undefined && { seenAt: iso(seenAt) }),
    })),
  };
}
