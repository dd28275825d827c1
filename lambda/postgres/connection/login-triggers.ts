import { StatementRejectedError } from "../../../core/errors.ts";
import { problem, someOf } from "../provisioning/check/problems.ts";
import type { Limits, Login } from "./login.ts";
import type { openSession } from "./session.ts";
import { ident, joined, sql } from "./sql.ts";

interface LoginTrigger {
  readonly name: string;
  /** The function, with its schema and arguments. */
  readonly called: string;
}

/**
 * Event triggers on login (PostgreSQL 17 and newer). Uses pg_catalog whatever the search path is.
 */
const enabled = sql`
select e.evtname::pg_catalog.text as name,
  p.pronamespace::pg_catalog.regnamespace::pg_catalog.text
    operator(pg_catalog.||) '.' operator(pg_catalog.||) p.proname::pg_catalog.text as called
from pg_catalog.pg_event_trigger e
join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) e.evtfoid
where e.evtevent operator(pg_catalog.=) 'login' and e.evtenabled operator(pg_catalog.<>) 'D'
order by e.evtname using operator(pg_catalog.<)`;

/**
 * The login event triggers of a database in which a session failed at its start. Most fail because
 * they need the search path of applications. So they are read in a session with that search path,
 * which is safe only for a login that applications use in the same way.
 *
 * @returns an empty list if that session is refused too.
 */
export async function loginTriggersOf(
  open: typeof openSession,
  login: Login,
  limits: Limits,
): Promise<readonly LoginTrigger[]> {
  try {
    const session = await open({ ...login, ownSearchPath: true }, limits);
    try {
      return await session.rows<LoginTrigger>("look for login event triggers", enabled);
    } finally {
      await session.end();
    }
  } catch (error) {
    if (error instanceof StatementRejectedError) return [];
    throw error;
  }
}

/** Why a session failed at its start for another reason than a missing CONNECT, and the remedy. */
export function atLogin(triggers: readonly LoginTrigger[]): string {
  if (triggers.length === 0)
    return problem(
      `most likely because of a login event trigger of that database; find it with SELECT evtname, evtfoid::regprocedure FROM pg_event_trigger WHERE evtevent = 'login', with PGOPTIONS="-c event_triggers=off" if the trigger lets nobody in; names in its function need their schemas`,
      sql`ALTER EVENT TRIGGER … DISABLE`,
    );
  const names = someOf(triggers.map(({ name }) => name));
  const functions = someOf(triggers.map(({ called }) => called));
  return problem(
    `most likely because of the login event trigger ${names}; names in its function ${functions} need their schemas`,
    joined(
      triggers.map(({ name }) => sql`ALTER EVENT TRIGGER ${ident(name)} DISABLE`),
      sql`; `,
    ),
  );
}
