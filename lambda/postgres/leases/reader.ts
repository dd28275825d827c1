import type { Reader, ReaderLook } from "../../../core/leases/ports.ts";
import type { Time } from "../../../core/time.ts";
import type { Maintenance } from "../connection/maintenance.ts";
import { CONTENDED, retryContended } from "../connection/retry.ts";
import type { Sql } from "../connection/sql.ts";
import * as statements from "./reader-statements.ts";
import { sessionsWithoutRole } from "./revoke-statements.ts";

export interface ReaderDeps {
  /** The reader's name in receipts. */
  readonly server: string;
  /** A connection to the maintenance database's copy on the reader. */
  readonly maintenance: Pick<Maintenance, "query">;
  readonly time: Time;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/** One reader: a function a statement, no decisions. */
export function postgresReader(deps: ReaderDeps): Reader {
  const { server, maintenance } = deps;
  // a standby may cancel a statement that replay has to pass (40001)
  const contended = <T>(step: string, statement: Sql): Promise<readonly T[]> =>
    retryContended(step, deps, () => maintenance.query<T>(step, statement, CONTENDED));
  const one = async <T>(step: string, statement: Sql): Promise<T> => {
    const [row] = await contended<T>(step, statement);
    if (row === undefined) throw new Error(`step ${step} answered no row`);
    return row;
  };
  return {
    server,
    look: (roleOid, username) =>
      one<ReaderLook>("look at a reader", statements.look(roleOid, username)),
    countSessions: async (roleOid) =>
      (
        await one<{ sessions: number }>(
          "count a reader's sessions",
          statements.countSessions(roleOid),
        )
      ).sessions,
    sessionsWithoutRole: async () =>
      (await contended<{ oid: number }>("find a reader's sessions", sessionsWithoutRole)).map(
        ({ oid }) => oid,
      ),
  };
}
