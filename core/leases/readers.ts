import { MayflyError } from "../errors.ts";
import { milliseconds, plus, seconds } from "../time.ts";
import type { LeaseDeps, Reader, ReaderFault, ReaderLook, SessionsEnded } from "./ports.ts";
import { endAllSessions } from "./sessions.ts";

/** What came of one reader during one revocation. */
export interface ReaderSeen extends SessionsEnded {
  /** Whether the latch was read there, and sessions were ended after it. */
  readonly latchSeen: boolean;
  /** Absent when all that was asked of it was seen. */
  readonly fault?: ReaderFault;
}

/**
 * What is to be read on a reader before its last look counts. `latch`: that the role can log in no
 * more; a role that is absent may be one that has not arrived yet. `end`: the writer has dropped the
 * role, and it is enough that it is not open here.
 */
export type Awaited = "latch" | "end";

type ReaderDeps = Pick<LeaseDeps, "readers" | "time">;
type Role = { readonly oid: number; readonly username: string };

/** How long the latch may be on its way; replication takes milliseconds while all is well. */
export const REPLICATION_PATIENCE = seconds(2);
const PAUSE = milliseconds(50);
/** Rounds of ending sessions, from the moment that none can come any more. */
const ROUNDS = 10;

/** Wait on every reader for what is awaited, and end the role's sessions there. Never rejects. */
export async function settleReaders(
  deps: ReaderDeps,
  role: Role,
  awaited: Awaited,
): Promise<readonly ReaderSeen[]> {
  const readers = await deps.readers.list();
  return Promise.all(readers.map((reader) => settle(deps, reader, role, awaited)));
}

/** End the sessions of a role that the writer has no more, on every server. */
export async function endEverywhere(
  deps: Pick<LeaseDeps, "ledger" | "readers" | "time">,
  role: Role,
): Promise<readonly (SessionsEnded & Partial<ReaderSeen>)[]> {
  const [writer, readers] = await Promise.all([
    endAllSessions(deps, role),
    settleReaders(deps, role, "end"),
  ]);
  return [...writer, ...readers];
}

/** The servers of which it is not known whether sessions are left there. */
export const unseenIn = (seen: readonly (SessionsEnded & Partial<ReaderSeen>)[]): string[] =>
  seen.flatMap(({ server, fault, remaining }) =>
    fault !== undefined || remaining > 0 ? [server] : [],
  );

async function settle(
  { readers: { faults }, time }: ReaderDeps,
  reader: Reader,
  { oid, username }: Role,
  awaited: Awaited,
): Promise<ReaderSeen> {
  const { server } = reader;
  const known = faults?.get(server);
  let ended = 0;
  let remaining = 0;
  const failed = (fault: ReaderFault): ReaderSeen => {
    faults?.set(server, fault);
    return { server, ended, remaining, latchSeen: false, fault };
  };
  if (known?.kind === "unreachable") return failed(known);
  const deadline = known === undefined ? plus(time.now(), REPLICATION_PATIENCE) : time.now();
  for (let rounds = 0; ; ) {
    const look = await reader.look(oid, username).catch(unreachable);
    if ("kind" in look) return failed(look);
    ended += look.ended;
    ({ remaining } = look);
    const decision = decideLook(look, awaited);
    if (decision === "wait" && time.now() >= deadline) return failed(LATE);
    if (decision === "no reader") return failed(NO_READER);
    if (decision === "count") rounds += 1;
    if (decision === "done" || rounds >= ROUNDS)
      return { server, ended, remaining, latchSeen: look.role === "latched" };
    if (decision === "wait" || remaining > 0) await time.wait(PAUSE);
  }
}

/** What to do after one look: it may be the last, one of the last, or come before the latch. */
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
  why: "what the writer committed has not arrived there yet; the sweep looks again",
};

const NO_READER: ReaderFault = {
  kind: "unreachable",
  why: "it replays no other server: it was promoted, or is none of this cluster; take it out of the database's readers",
};

function unreachable(error: unknown): ReaderFault {
  // only our own words: a driver's message may quote what it sent
  const why = error instanceof MayflyError ? error.message : "it failed unexpectedly";
  return { kind: "unreachable", why };
}

/**
 * For a pass over many leases: a reader that could not be reached is not asked again for each of
 * them, and one that lags is not waited for again.
 */
export const forOnePass = <Deps extends Pick<LeaseDeps, "readers">>(deps: Deps): Deps => ({
  ...deps,
  readers: { list: () => deps.readers.list(), faults: new Map() },
});

/** What all readers answer to one question, and the names of those that did not. */
export async function askReaders<T>(
  { readers }: Pick<LeaseDeps, "readers">,
  ask: (reader: Reader) => Promise<T>,
): Promise<{ readonly answers: readonly T[]; readonly unseen: readonly string[] }> {
  const answers: T[] = [];
  const unseen: string[] = [];
  const one = async (reader: Reader): Promise<void> => {
    const known = readers.faults?.get(reader.server);
    if (known?.kind === "unreachable") unseen.push(reader.server);
    else
      await ask(reader).then(
        (answer) => answers.push(answer),
        (error: unknown) => {
          readers.faults?.set(reader.server, unreachable(error));
          unseen.push(reader.server);
        },
      );
  };
  await Promise.all((await readers.list()).map(one));
  return { answers, unseen: unseen.toSorted() };
}
