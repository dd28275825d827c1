import { StatementRejectedError } from "../../../core/errors.ts";
import { problem, someOf } from "../provisioning/check/problems.ts";
import type { Limits, Login } from "./login.ts";
import type { openSession } from "./session.ts";
import { ident, joined, sql } from "./sql.ts";

interface LoginTrigger {
  readonly name: string;
  /** With its schema and arguments. */
  readonly called: string;
}

/** Event triggers on login, which PostgreSQL has from 17 on. Whatever the search path, it is pg_catalog's. */
const enabled = sql`
select e.evtname::pg_catalog.text as name,
  p.pronamespace::pg_catalog.regnamespace::pg_catalog.text
    operator(pg_catalog.||) '.' operator(pg_catalog.||) p.proname::pg_catalog.text as called
from pg_catalog.pg_event_trigger e
join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) e.evtfoid
where e.evtevent operator(pg_catalog.=) 'login' and e.evtenabled operator(pg_catalog.<>) 'D'
order by e.evtname using operator(pg_catalog.<)`;

/**
 * The login event triggers of a database in which a session of ours failed as it began. Most fail for
 * want of the search path that applications have: so they are asked for in a session that has it,
 * which only a login may be that applications use just so.
 *
 * @returns none also when that session is not let in either.
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

/** Why a session failed as it began with another code than that of a missing CONNECT, and what helps. */
export function atLogin(triggers: readonly LoginTrigger[]): string {
  if (triggers.length === 0)
    return problem(
      `most likely a login event trigger of that database does; find it with SELECT evtname, evtfoid::regprocedure FROM pg_event_trigger WHERE evtevent = 'login', with PGOPTIONS="-c event_triggers=off" where it lets nobody in; names in its function need their schemas`,
      sql`ALTER EVENT TRIGGER … DISABLE`,
    );
  const names = someOf(triggers.map(({ name }) => name));
  const functions = someOf(triggers.map(({ called }) => called));
  return problem(
    `most likely the login event trigger ${names} does, in whose function ${functions} names need their schemas`,
    joined(
      triggers.map(({ name }) => sql`ALTER EVENT TRIGGER ${ident(name)} DISABLE`),
      sql`; `,
    ),
  );
}
