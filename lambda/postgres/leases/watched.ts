import type {
  ServerLook,
  ServerNote,
  WatchedSessions,
  WatchedUser,
} from "../../../core/leases/watched.ts";
import type { Instant } from "../../../core/time.ts";
import { type CallDeps, call } from "./call.ts";

/** The sessions of the watched users on one server, the writer or a reader. */
export async function findWatched(
  deps: CallDeps & { readonly server: string },
): Promise<ServerLook> {
  return { server: deps.server, users: await call<WatchedSessions>(deps, "watched", 0, []) };
}

/** What the verb `note_watched` answers: one row for each user and server. */
interface NoteRow {
  readonly username: string;
  readonly role: WatchedUser["role"];
  readonly since: Instant;
  readonly news: WatchedUser["news"] | null;
  /** Null if no sweep has noted anything yet. */
  readonly server: string | null;
  readonly looks: number | null;
  readonly looked: Instant | null;
  readonly missed: Instant | null;
  readonly seen: Instant | null;
  readonly sessions: number | null;
  readonly applications: readonly string[] | null;
}

export async function noteWatched(
  deps: CallDeps,
  looks: readonly ServerLook[],
): Promise<readonly WatchedUser[]> {
  const rows = await call<NoteRow>(deps, "note_watched", 0, [JSON.stringify(looks)]);
  return [...Map.groupBy(rows, ({ username }) => username).values()].flatMap((own) => {
    const [first] = own;
    if (first === undefined) return [];
    const { username, role, since, news } = first;
    return { username, role, since, ...(news !== null && { news }), servers: own.flatMap(noteIn) };
  });
}

function noteIn(row: NoteRow): readonly ServerNote[] {
  const { server, looks, looked, missed, seen, sessions, applications } = row;
  if (server === null) return [];
  return [
    {
      server,
      looks: looks ?? 0,
      sessions: sessions ?? 0,
      applications: applications ?? [],
      ...(looked !== null && { lookedAt: looked }),
      ...(missed !== null && { missedAt: missed }),
      ...(seen !== null && { seenAt: seen }),
    },
  ];
}
