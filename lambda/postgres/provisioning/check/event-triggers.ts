import { ConfigError, StatementRejectedError } from "../../../../core/errors.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { wantedPrivileges } from "../../../../core/provisioning/privileges.ts";
import type { Session } from "../../connection/session.ts";
import { ident, joined, sql } from "../../connection/sql.ts";
import { become } from "../borrow.ts";
import { gapsIn } from "../converge/gaps.ts";
import { revocations, unwantedIn } from "../converge/grant-entries.ts";
import { grantsOf } from "../converge/privileges.ts";
import { problem, someOf } from "./problems.ts";

/** The event triggers that provisioning would fire in an application database (PostgreSQL 40.2). */
const eventTriggers = sql`
select e.evtname::text as name from pg_catalog.pg_event_trigger e
where e.evtenabled in ('O', 'A') and e.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop')
  and (e.evttags is null or e.evttags && array['GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES'])
order by 1`;

const triggersIn = async (session: Session): Promise<readonly string[]> =>
  (await session.rows<{ name: string }>("look for event triggers", eventTriggers)).map(
    ({ name }) => name,
  );

const triggerProblem = (triggers: readonly string[], { engineCode }: StatementRejectedError) =>
  problem(
    `granting and revoking run ${triggers.length > 1 ? "event triggers" : "the event trigger"} ${someOf(triggers)}, and failed (code ${engineCode}); mend the function, which runs as whoever grants, with no schema of yours in its search_path (ALTER FUNCTION … SECURITY DEFINER SET search_path = …), or, for as long as Mayfly grants`,
    joined(
      triggers.map((name) => sql`ALTER EVENT TRIGGER ${ident(name)} DISABLE`),
      sql`; `,
    ),
  );

/** `$1` roles. */
const absent = sql`
select w.name from pg_catalog.unnest($1::text[]) as w (name)
where not exists (select from pg_catalog.pg_roles r where r.rolname = w.name)`;

/**
 * If event triggers would run: do every change in an application database and roll it back, to find
 * out before any change whether their code allows it.
 */
export async function rehearse(
  session: Session,
  plan: ProvisionPlan,
  version: number,
): Promise<readonly string[]> {
  const triggers = await triggersIn(session);
  if (triggers.length === 0) return [];
  const step = "try out what event triggers run at";
  const groups = Object.values(plan.roles).map(({ groupRole }) => groupRole);
  const missing = await session.rows<{ name: string }>(step, absent, [groups]);
  const json = JSON.stringify(wantedPrivileges(plan));
  const gaps = gapsIn(session, plan, () => step);
  const unwanted = await unwantedIn(session, version, [json, plan.tag, plan.owner]);
  const grants = grantsOf(plan.owner, {
    doors: await gaps.schemas(),
    defaults: await gaps.defaults(),
    relations: await gaps.relations(),
  });
  const byGrantor = Map.groupBy(
    unwanted.filter(({ reachable }) => reachable),
    ({ grantor }) => grantor,
  );
  const withdrawals = [...byGrantor].flatMap(([grantor, each]) => [
    become(grantor),
    ...revocations(each),
  ]);
  const all = [...grants.byAdmin, ...grants.byOwner, ...withdrawals];
  if (all.length === 0) return [];
  try {
    await session.rehearse(step, [
      ...missing.map(({ name }) => sql`create role ${ident(name)} nologin`),
      ...all,
    ]);
    return [];
  } catch (error) {
    if (!(error instanceof StatementRejectedError)) throw error;
    return [triggerProblem(triggers, error)];
  }
}

/**
 * Do something in an application database. If it fails and event triggers ran, the error names
 * them.
 */
export async function namingTriggers<T>(
  session: Session,
  database: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StatementRejectedError)) throw error;
    const triggers = await triggersIn(session);
    if (triggers.length === 0) throw error;
    const what = triggerProblem(triggers, error);
    throw new ConfigError(`in database "${database}": ${what} then do the same again`, {
      cause: error,
    });
  }
}
