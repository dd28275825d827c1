import type { Session } from "../../connection/session.ts";
import { ident, sql } from "../../connection/sql.ts";
import { as, problem } from "../check/problems.ts";
import { revocations, type UnwantedGrant } from "../converge/grant-entries.ts";

const REMEDIES_AT_MOST = 10;

/**
 * Revoke privileges that are not in the plan, each as its grantor: for other roles, REVOKE succeeds
 * without any effect (C14).
 *
 * @returns the number found, and those that are left because the administrator cannot become the
 *   grantor or the revocation had no effect.
 */
export async function withdraw(
  session: Session,
  step: string,
  read: () => Promise<readonly UnwantedGrant[]>,
): Promise<{ readonly found: number; readonly left: readonly UnwantedGrant[] }> {
  const found = await read();
  const reachable = found.filter((grant) => grant.reachable);
  for (const [grantor, grants] of Map.groupBy(reachable, (grant) => grant.grantor))
    await session.apply(step, [sql`set local role ${ident(grantor)}`, ...revocations(grants)]);
  return { found: found.length, left: reachable.length === 0 ? found : await read() };
}

/**
 * The remaining privileges, each with the SQL that a DBA must run: at most ten, and the number of
 * others.
 */
export function leftovers(left: readonly UnwantedGrant[]): readonly string[] {
  const statements = [...Map.groupBy(left, ({ grantor }) => grantor)].flatMap(([grantor, grants]) =>
    revocations(grants).map((statement) => ({ grantor, statement })),
  );
  const rest = statements.length - REMEDIES_AT_MOST;
  return [
    ...statements
      .slice(0, REMEDIES_AT_MOST)
      .map(({ grantor, statement }) =>
        problem(
          `${ident(grantor)} granted what the configuration does not name`,
          as(grantor, statement),
        ),
      ),
    ...(rest > 0 ? [`and ${rest} more of the kind`] : []),
  ];
}
