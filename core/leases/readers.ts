import { reasonOf } from "../reason.ts";
import { milliseconds, plus, seconds } from "../time.ts";
import type {
  Incarnate,
  LeaseDeps,
  Reader,
  ReaderFault,
  ReaderLook,
  SessionsEnded,
} from "./lease-ports.ts";
import { bothSeen, endAllSessions } from "./sessions.ts";

/** What one revocation saw on one reader. */
export interface ReaderSeen extends SessionsEnded {
  /** Whether the latch was read there, and sessions were ended after it. */
  readonly latchSeen: boolean;
  /** Undefined if everything was checked. */
  readonly fault?: ReaderFault;
}

/**
 * The state that a reader must show before its last check counts. `latch`: the role can no longer
 * log in; an absent role may not have been replicated yet. `end`: the writer has dropped the role,
 * so it only must not be open here.
 */
export type Awaited = "latch" | "end";

type ReaderDeps = Pick<LeaseDeps, "readers" | "time">;

/** How long to wait for the latch to be replicated; normally that takes milliseconds. */
export const REPLICATION_PATIENCE = seconds(2);
const PAUSE = milliseconds(50);
/** Rounds of ending sessions after new ones are impossible. */
const ROUNDS = 10;

/** What was seen of one role on one server. */
export type Seen = SessionsEnded & Partial<ReaderSeen>;

/**
 * Wait until every reader shows the awaited state, and end the roles' sessions there. Never
 * rejects.
 *
 * @returns what was seen on each reader, for each role in the same order.
 */
export async function followReaders(
  deps: ReaderDeps,
  roles: readonly Incarnate[],
  awaited: Awaited,
): Promise<readonly (readonly ReaderSeen[])[]> {
  const readers = await deps.readers.list();
  const seen = await Promise.all(readers.map((reader) => follow(deps, reader, roles, awaited)));
  return roles.map((_, index) => seen.flatMap((each) => each[index] ?? []));
}

/** End the sessions of roles that the writer has dropped, on every server. */
export async function endEverywhere(
  deps: Pick<LeaseDeps, "engine" | "readers" | "time">,
  roles: readonly Incarnate[],
): Promise<readonly (readonly Seen[])[]> {
  const [writer, readers] = await Promise.all([
    endAllSessions(deps, roles),
    followReaders(deps, roles, "end"),
  ]);
  return roles.map((_, index) => [writer[index] ?? [], readers[index] ?? []].flat());
}

/** The servers that may still have sessions. */
export const unseenIn = (seen: readonly Seen[]): string[] =>
  seen.flatMap(({ server, fault, remaining }) =>
    fault !== undefined || remaining > 0 ? [server] : [],
  );

/** One role on one reader, over several checks. */
interface Followed {
  readonly role: Incarnate;
  readonly index: number;
  rounds: number;
  seen: ReaderSeen;
}

async function follow(
  { readers: { faults }, time }: ReaderDeps,
  reader: Reader,
  roles: readonly Incarnate[],
  awaited: Awaited,
): Promise<readonly ReaderSeen[]> {
  const { server } = reader;
  const all = roles.map(
    (role, index): Followed => ({
      role,
      index,
      rounds: 0,
      seen: { server, ended: 0, remaining: 0, latchSeen: false },
    }),
  );
  const fail = (failed: readonly Followed[], fault: ReaderFault): void => {
    faults?.set(server, fault);
    for (const each of failed) each.seen = { ...each.seen, latchSeen: false, fault };
  };
  const known = faults?.get(server);
  if (known?.kind === "unreachable") fail(all, known);
  const deadline = known === undefined ? plus(time.now(), REPLICATION_PATIENCE) : time.now();
  let open = known?.kind === "unreachable" ? [] : all;
  while (open.length > 0) {
    const looks = await reader.look(open.map(({ role }) => role)).catch(unreachable);
    if ("kind" in looks) {
      fail(open, looks);
      break;
    }
    const isLate = time.now() >= deadline;
    const again: Followed[] = [];
    let pause = false;
    for (const [i, each] of open.entries()) {
      const look = looks[i];
      if (look === undefined) throw new Error("the reader has not answered for every role");
      const decision = decideLook(look, awaited);
      if (decision === "count") each.rounds += 1;
      const { seen } = each;
      each.seen = {
        ...seen,
        ended: seen.ended + look.ended,
        remaining: look.remaining,
        latchSeen: look.role === "latched",
        ...bothSeen(seen.who, look.who),
      };
      if (decision === "wait" && isLate) fail([each], LATE);
      else if (decision === "no reader") fail([each], NO_READER);
      else if (decision !== "done" && each.rounds < ROUNDS) {
        again.push(each);
        pause ||= decision === "wait" || look.remaining > 0;
      }
    }
    open = again;
    if (pause) await time.wait(PAUSE);
  }
  return all.map(({ seen }) => seen);
}

/** What to do after one check of a reader. */
export function decideLook(
  { replays, role, ended, remaining }: ReaderLook,
  awaited: Awaited,
): "done" | "count" | "wait" | "no reader" {
  const arrived = role === "latched" || (awaited === "end" && role === "absent");
  if (!arrived) return replays ? "wait" : "no reader";
  return ended === 0 && remaining === 0 ? "done" : "count";
}

const LATE: ReaderFault = {
  kind: "late",
  why: "the reader has not replayed the writer's commit yet; the sweep checks again",
};

const NO_READER: ReaderFault = {
  kind: "unreachable",
  why: "it is not a replica: it was promoted, or does not belong to this cluster; remove it from the database's readers",
};

function unreachable(error: unknown): ReaderFault {
  return { kind: "unreachable", why: reasonOf(error) };
}

/**
 * For a pass over many leases: an unreachable reader is not tried again for each lease, and a
 * lagging reader is not waited for again.
 */
export const forOnePass = <Deps extends Pick<LeaseDeps, "readers">>(deps: Deps): Deps => ({
  ...deps,
  readers: { list: () => deps.readers.list(), faults: new Map() },
});

/** A reader that could not be reached, and why. */
export interface UnseenReader {
  readonly server: string;
  readonly reason: string;
}

/** The answers of all readers to one question, and the readers that did not answer. */
export async function askReaders<T>(
  { readers }: Pick<LeaseDeps, "readers">,
  ask: (reader: Reader) => Promise<T>,
): Promise<{ readonly answers: readonly T[]; readonly unseen: readonly UnseenReader[] }> {
  const answers: T[] = [];
  const unseen: UnseenReader[] = [];
  const one = async (reader: Reader): Promise<void> => {
    const known = readers.faults?.get(reader.server);
    const { server } = reader;
    if (known?.kind === "unreachable") unseen.push({ server, reason: known.why });
    else
      await ask(reader).then(
        (answer) => answers.push(answer),
        (error: unknown) => {
          const fault = unreachable(error);
          readers.faults?.set(server, fault);
          unseen.push({ server, reason: fault.why });
        },
      );
  };
  await Promise.all((await readers.list()).map(one));
  return { answers, unseen: unseen.toSorted((a, b) => (a.server < b.server ? -1 : 1)) };
}
