import type { ServerView, WatchedView } from "../../../core/leases/operation/watch.ts";
import { type Io, say } from "../../terminal/io.ts";
import { count, span, table } from "../../terminal/table.ts";

const HEADER = ["WATCHED", "SERVER", "SESSIONS", "LAST SEEN", "LAST LOOK", "LOOKS"];

/**
 * The watched users, a line for each server; empty if there are none. Servers that are gone are
 * left out, but for the one where the user was seen last. `now` in milliseconds since the epoch.
 */
export const watchedTable = (watched: readonly WatchedView[], now: number): string =>
  watched.length === 0
    ? ""
    : table(
        HEADER,
        watched.flatMap((user) => rowsOf(user, now)),
      );

function rowsOf({ username, seenAt: last, servers }: WatchedView, now: number): string[][] {
  const shown = servers.filter(
    ({ state, seenAt }) => state !== "gone" || (last !== undefined && seenAt === last),
  );
  if (shown.length === 0) return [[username, "-", "-", "never", "never", "0"]];
  return shown.map((each) => [
    username,
    each.state === "gone" ? `${each.server} (gone)` : each.server,
    each.state === "looked" ? String(each.sessions) : "?",
    ago(each.seenAt, now),
    ago(each.lookedAt, now),
    String(each.looks),
  ]);
}

const ago = (time: string | undefined, now: number): string =>
  time === undefined ? "never" : `${span(Math.max(0, now - Date.parse(time)))} ago`;

/** What the table cannot say: who is there, where nobody looked, and what a sweep can miss. */
export function sayWatched(io: Io, watched: readonly WatchedView[]): void {
  for (const user of watched) {
    const { username, role, watchedSince, servers } = user;
    if (role === "absent") say(io, `${username} does not exist`);
    if (role === "shut") say(io, `${username} may not log in`);
    if (servers.length === 0)
      say(io, `${username} is watched since ${watchedSince}, by no sweep yet`);
    for (const each of servers) sayServer(io, username, each);
  }
  if (watched.length > 0)
    say(
      io,
      `${count(watched.length, "user")} watched: the sweep looks every five minutes and can miss a shorter session; log_connections misses none, see docs/adopting.md`,
    );
}

function sayServer(io: Io, username: string, note: ServerView): void {
  const { server, state, sessions, applications } = note;
  if (state === "missed")
    say(
      io,
      `${server} could not be looked at in the last sweep: ${username} may have sessions there`,
    );
  if (state === "looked" && sessions > 0 && applications.length > 0)
    say(io, `${username} on ${server}: ${applications.join(", ")}`);
}
