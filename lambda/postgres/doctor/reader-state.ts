import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { reasonOf } from "../../../core/reason.ts";
import type { Session } from "../connection/session.ts";
import { sql } from "../connection/sql.ts";
import { flaw, ok } from "./looking.ts";

/** A reader's replay. */
export interface Replay {
  readonly replica: boolean;
  readonly paused: boolean;
  /** Seconds since the last replayed commit; 0 if everything that was received is replayed. */
  readonly behind: number | null;
}

const replay = sql`
select pg_catalog.pg_is_in_recovery() as replica,
  case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_is_wal_replay_paused() else false end
    as paused,
  case when pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() then 0
    else pg_catalog.floor(extract(epoch from pg_catalog.clock_timestamp()
      - pg_catalog.pg_last_xact_replay_timestamp()))::int end as behind`;

/** Seconds. A revocation waits for 2 seconds for a reader, and tries again a minute later. */
const LATE = 60;

/** What to say of a reader that answered. */
export function judgeReplay(server: string, { replica, paused, behind }: Replay): Finding {
  const seen = { check: "readers", subject: server };
  const late = `a lease that is revoked can log in there until it has replayed that`;
  if (!replica)
    return flaw({
      ...seen,
      verdict: "broken",
      evidence: "it is not a replica of the writer: it was promoted, or is another server",
      fix: byHand(`take ${server} out of "readers" and deploy`),
    });
  if (paused)
    return flaw({
      ...seen,
      verdict: "broken",
      evidence: `its replay is paused${behind === null ? "" : `, for ${behind} s`}: ${late}`,
      fix: byHand(`have a superuser run on ${server}: SELECT pg_wal_replay_resume();`),
    });
  if (behind !== null && behind >= LATE)
    return flaw({
      ...seen,
      verdict: "warning",
      evidence: `it is ${behind} s behind the writer: ${late}`,
      fix: byHand(
        `end the queries on ${server} that delay its replay, or set max_standby_streaming_delay to 30s there`,
      ),
    });
  return ok({
    ...seen,
    evidence:
      behind === null ? "it replays; it does not say how far" : `it replays, ${behind} s behind`,
  });
}

/** Look at a reader, over a connection to it. */
export async function lookAtReader(server: string, session: Session): Promise<Finding> {
  const [seen] = await session.rows<Replay>("ask a reader how far it is", replay);
  if (seen === undefined) throw new Error("a query without FROM has one row");
  return judgeReplay(server, seen);
}

/** What to say of a reader that does not answer. */
export const outOfReach = (server: string, error: unknown): Finding => {
  const found: Flaw = {
    check: "readers",
    subject: server,
    verdict: "broken",
    evidence: `it could not be looked at: ${reasonOf(error)}`,
    fix: byHand(
      `let the functions' security group reach ${server}, or take it out of "readers" and deploy: until then leases are not proved to be ended there`,
    ),
  };
  return flaw(found);
};
