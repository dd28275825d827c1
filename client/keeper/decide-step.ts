import { type Duration, type Instant, milliseconds, minutes, seconds } from "../../core/time.ts";
import type { HeldLease } from "./held-lease.ts";

/** What a keeper does next. */
export type Step =
  /** Renew it, or see that it is over. */
  | { readonly kind: "renew"; readonly lease: HeldLease }
  /** Ask for the lease after it. */
  | { readonly kind: "ask next"; readonly lease: HeldLease }
  /** Say that it ends without a next one. */
  | { readonly kind: "announce"; readonly lease: HeldLease }
  /** Revoke it, so that there is room for another. */
  | { readonly kind: "make room"; readonly lease: HeldLease }
  /** Its time is up, and the source does not answer. */
  | { readonly kind: "lose"; readonly lease: HeldLease }
  /** It was replaced, nobody uses it, and its time is up. */
  | { readonly kind: "forget"; readonly lease: HeldLease }
  | { readonly kind: "wait"; readonly length: Duration };

export interface Situation {
  readonly newest: HeldLease | undefined;
  /** Leases that were replaced. */
  readonly older: readonly HeldLease[];
  /** The database's time, or a little later. */
  readonly now: Instant;
  /** The database's time, or earlier. */
  readonly atLeast: Instant;
  /** Whether `now` may be wrong, so that an end must not be believed. */
  readonly isDoubtful: boolean;
  /** How long no call may be made. */
  readonly paused: Duration;
  /** How long no further lease may be asked for. */
  readonly limited: Duration;
  /** The newest lease, too, is renewed and replaced only while it is used. */
  readonly onlyWhileUsed: boolean;
}

/** Revoking takes a second or two, and two more are for the first connection to the next lease. */
const ROOM_BEFORE_END = seconds(5);

/** Timers stand still while the machine sleeps. After a sleep, a fifth of what is left passes. */
const PART_OF_REST = 0.2;
const SHORTEST_WAIT = seconds(1);
const LONGEST_WAIT = minutes(60);

interface Candidate {
  readonly step: Exclude<Step, { kind: "wait" }>;
  /** 0 or less: now. */
  readonly dueIn: number;
}

/** The next step: the first that is due, or a wait for the one that is due first. */
export function decideStep(situation: Situation): Step {
  const candidates = [
    ...(situation.newest === undefined ? [] : stepsOfNewest(situation.newest, situation)),
    ...situation.older.flatMap((lease) => stepsOfOlder(lease, situation)),
  ];
  const due = candidates.find(({ dueIn }) => dueIn <= 0);
  if (due !== undefined) return due.step;
  const first = Math.min(LONGEST_WAIT, ...candidates.map(({ dueIn }) => dueIn));
  const held = situation.newest ?? situation.older[0];
  const left = held === undefined ? LONGEST_WAIT : held.expiresAt - situation.now;
  const part = Math.max(SHORTEST_WAIT, left * PART_OF_REST);
  return { kind: "wait", length: milliseconds(Math.min(first, part)) };
}

function stepsOfNewest(lease: HeldLease, situation: Situation): readonly Candidate[] {
  if (situation.onlyWhileUsed && lease.uses === 0) return stepsOfOlder(lease, situation);
  const { now, paused, limited, isDoubtful } = situation;
  // what the clock may be wrong about is looked at first
  const orLook = (step: Candidate["step"]): Candidate["step"] =>
    isDoubtful ? { kind: "renew", lease } : step;
  const next: Candidate = lease.mayHaveNext
    ? {
        step: orLook({ kind: "ask next", lease }),
        dueIn: Math.max(lease.nextAt - now, paused, limited),
      }
    : {
        step: orLook({ kind: "make room", lease }),
        dueIn: Math.max(lease.maxExpiresAt - ROOM_BEFORE_END - now, paused),
      };
  const announcement: Candidate = {
    step: orLook({ kind: "announce", lease }),
    dueIn: Math.max(lease.nextAt - now, paused),
  };
  return [
    ...lifeOf(lease, situation),
    next,
    ...(lease.mayHaveNext || lease.isEndAnnounced ? [] : [announcement]),
  ];
}

function stepsOfOlder(lease: HeldLease, situation: Situation): readonly Candidate[] {
  if (lease.uses > 0) return lifeOf(lease, situation);
  return [{ step: { kind: "forget", lease }, dueIn: lease.expiresAt - situation.now }];
}

/** Renew it in time; see whether it is over when it seems so; lose it when it must be. */
function lifeOf(
  lease: HeldLease,
  { now, atLeast, paused, isDoubtful }: Situation,
): readonly Candidate[] {
  return [
    { step: { kind: "renew", lease }, dueIn: Math.max(lease.lookAt - now, paused) },
    { step: { kind: "lose", lease }, dueIn: lease.expiresAt - (isDoubtful ? atLeast : now) },
  ];
}
