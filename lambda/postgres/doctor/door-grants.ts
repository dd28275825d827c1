import { byHand, type Flaw } from "../../../core/doctor/examiner.ts";
import { ident, type Sql, sql } from "../connection/sql.ts";
import { intruders } from "../provisioning/check/check-cluster.ts";
import type { Intruder } from "../provisioning/check/cluster-problems.ts";
import { admit } from "../provisioning/converge/connect.ts";
import { revocations, unwantedOnDatabases } from "../provisioning/converge/grant-entries.ts";
import { entrantsOf } from "../provisioning/wanted-roles.ts";
import { flawsOr, type Look, run } from "./looking.ts";

/** A database that the plan names. */
export interface DatabaseState {
  readonly name: string;
  readonly owner: string | null;
  readonly open: boolean;
}

/** `$1` databases, existing or not. */
export const databaseStates = sql`
select w.name, pg_catalog.pg_get_userbyid(d.datdba)::text as owner,
  coalesce(d.datallowconn, false) as open
from pg_catalog.unnest($1::text[]) as w(name)
left join pg_catalog.pg_database d on d.datname = w.name`;

/** `$1` databases, `$2` roles. Those that cannot connect, not even because everybody may. */
const shutOut = sql`
select d.datname::text as database, g.rolname::text as role
from pg_catalog.pg_database d cross join pg_catalog.pg_roles g
where d.datname = any ($1::text[]) and g.rolname = any ($2::text[])
  and not pg_catalog.has_database_privilege(g.oid, d.oid, 'CONNECT')
order by 1, 2`;

/** Who may connect to the application databases. */
export const lookAtDoors: Look = async ({ session, plan, version }) => {
  const what = "read who may connect";
  const states = await session.rows<DatabaseState>(what, databaseStates, [plan.databases]);
  const shut = await session.rows<{ role: string; database: string }>(what, shutOut, [
    plan.databases,
    entrantsOf(plan),
  ]);
  const doors = entrantsOf(plan).flatMap((role) =>
    plan.databases.map((database) => ({ role, database })),
  );
  const unwanted = await unwantedOnDatabases(
    session,
    version,
    doors,
    `^mf_${plan.tag}_(group_|janitor$)`,
  );
  const check = "group-connect";
  const flaws = [
    ...states.flatMap(({ name, owner, open }): Flaw[] => {
      const seen = { check, subject: `database ${name}`, verdict: "broken" as const };
      if (owner === null)
        return [
          {
            ...seen,
            evidence: `there is no database ${name}`,
            fix: byHand(`create it, or set "databases" to one that exists, and deploy`),
          },
        ];
      const missing = shut.filter(({ database }) => database === name);
      return [
        ...(open
          ? []
          : [
              {
                ...seen,
                evidence: `the database ${name} allows no connections`,
                fix: run({ database: plan.maintenanceDatabase, as: owner }, [
                  sql`ALTER DATABASE ${ident(name)} WITH ALLOW_CONNECTIONS true`,
                ]),
              },
            ]),
        ...(missing.length === 0
          ? []
          : [
              {
                ...seen,
                evidence: `${missing.map(({ role }) => role).join(", ")} may not connect to it`,
                fix: run({ database: name, as: owner }, missing.map(admit)),
              },
            ]),
      ];
    }),
    ...[...Map.groupBy(unwanted, ({ grantor }) => grantor)].map(
      ([grantor, grants]): Flaw => ({
        check,
        subject: grants.map(({ grantee }) => grantee).join(", "),
        verdict: "warning",
        evidence: `${grantor} granted ${grants.map(({ privilege, namespace }) => `${privilege} on database ${namespace}`).join(", ")}, which the configuration does not name`,
        fix: run({ database: plan.maintenanceDatabase, as: grantor }, revocations(grants)),
      }),
    ),
  ];
  return flawsOr(flaws, {
    check,
    subject: plan.databases.join(", "),
    evidence: `${entrantsOf(plan).length} roles may connect`,
  });
};

/** Nobody but the issuer logins may connect to the maintenance database. */
export const lookAtMaintenance: Look = async ({ session, plan, admin }) => {
  const name = plan.maintenanceDatabase;
  const rows = await session.rows<Intruder>("read who may connect", intruders, [name]);
  const [everybody] = await session.rows<{ may: boolean }>(
    "read who may connect",
    sql`select pg_catalog.has_database_privilege('public', $1::text, 'CONNECT') as may`,
    [name],
  );
  const seen = { check: "maintenance-database", subject: `database ${name}` };
  const close = (as: string, from: Sql): Flaw["fix"] =>
    run({ database: name, as }, [sql`REVOKE CONNECT ON DATABASE ${ident(name)} FROM ${from}`]);
  const flaws = [
    ...(everybody?.may === true
      ? [
          {
            ...seen,
            verdict: "broken" as const,
            evidence: "everybody may connect to it, and make leases wait there",
            fix: close(admin, sql`PUBLIC`),
          },
        ]
      : []),
    ...rows.map((each) => ({
      ...seen,
      verdict: "broken" as const,
      evidence: `${each.name} may connect to it; ${each.grantor} granted that`,
      fix: close(each.grantor, ident(each.name)),
    })),
  ];
  return flawsOr(flaws, { ...seen, evidence: "only issuer logins may connect" });
};
