import type { Flaw } from "../../../core/doctor/examiner.ts";
import { ident, sql } from "../connection/sql.ts";
import { type ClusterLook, flawsOr, type Look, run } from "./looking.ts";

interface Trigger {
  readonly name: string;
  readonly owner: string;
  readonly event: string;
}

/** Those that provisioning fires, or a login. `$1`: all, whatever fires them. */
const triggers = sql`
select e.evtname::text as name, pg_catalog.pg_get_userbyid(e.evtowner)::text as owner,
  e.evtevent::text as event
from pg_catalog.pg_event_trigger e
where e.evtenabled in ('O', 'A') and ($1::boolean or e.evtevent = 'login'
  or e.evtevent in ('ddl_command_start', 'ddl_command_end', 'sql_drop') and (e.evttags is null
    or e.evttags && array['GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES', 'DROP OWNED']))
order by 1`;

async function flawsIn(
  { session }: ClusterLook,
  database: string,
  isMaintenance: boolean,
): Promise<readonly Flaw[]> {
  const rows = await session.rows<Trigger>("look for event triggers", triggers, [isMaintenance]);
  return rows.map(({ name, owner, event }) => ({
    check: "event-triggers",
    subject: `event trigger ${name} in database ${database}`,
    verdict: isMaintenance ? "broken" : "warning",
    evidence: `its function runs at ${event} as whoever is there: ${isMaintenance ? "the roles that issue" : event === "login" ? "leases, the janitor and the administrator, and one that fails lets nobody in" : "the administrator and the owner, when Mayfly grants"}`,
    fix: run({ database, as: owner }, [sql`ALTER EVENT TRIGGER ${ident(name)} DISABLE`]),
  }));
}

const fine = (database: string) => ({
  check: "event-triggers",
  subject: `database ${database}`,
  evidence: "no event trigger runs when Mayfly works there",
});

/** Code of others in the maintenance database would run as the roles that issue. */
export const lookAtTriggersHere: Look = async (look) => {
  const { maintenanceDatabase } = look.plan;
  return flawsOr(await flawsIn(look, maintenanceDatabase, true), fine(maintenanceDatabase));
};

/** Code of others that runs when Mayfly grants, or when a lease logs in. */
export const lookAtTriggersIn = async (look: ClusterLook & { readonly database: string }) =>
  flawsOr(await flawsIn(look, look.database, false), fine(look.database));
