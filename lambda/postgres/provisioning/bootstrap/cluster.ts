import { enderName } from "../../../../core/names.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import { ownerGroupsOf } from "../../../../core/rotation/rotated-users.ts";
import { SPLIT_MEMBERSHIP } from "../../connection/session.ts";
import { ident, integer, joined, literal, type Sql, sql } from "../../connection/sql.ts";
import { foreignDatabase } from "../check/cluster-problems.ts";
import {
  createMaintenance,
  emptyPublic,
  isHalfMade,
  isMarked,
  letIn,
  markMaintenance,
  openMaintenance,
  shutOutPublic,
} from "../converge/maintenance-database.ts";
import { createRole, grantMembership } from "../converge/roles.ts";
import {
  issuerLoginsOf,
  SIGNAL_ROLE,
  STATS_ROLE,
  type WantedMembership,
  type WantedRole,
  wantedMemberships,
  wantedRoles,
} from "../wanted-roles.ts";
import { about, block, connectTo, eachValueOf, type Piece, runIf, statements } from "./psql.ts";

const exists = (role: string): Sql =>
  sql`exists (select from pg_catalog.pg_roles where rolname = ${literal(role)})`;

/** Create the provisioner's login, with CREATEROLE. Its rights over roles follow. */
export function adminPieces(plan: ProvisionPlan, admin: string): readonly Piece[] {
  const name = ident(admin);
  const is = (what: Sql): Sql =>
    sql`exists (select from pg_catalog.pg_roles where rolname = ${literal(admin)} and ${what})`;
  const foreign = sql`exists (select from pg_catalog.pg_database d
      where d.datname = ${literal(plan.maintenanceDatabase)} and not ${isMarked} and not (${isHalfMade}))`;
  const owned = sql`exists (select from pg_catalog.pg_database d where d.datname = ${literal(plan.maintenanceDatabase)}
      and not pg_catalog.pg_has_role(${literal(admin)}::name, d.datdba, 'USAGE'))`;
  return [
    about(
      ["The administrator. The stack gets the secret with its login."],
      block(
        sql`if ${is(sql`rolsuper`)} then
    raise exception using message = ${literal(`${name} is a superuser, and code in an application database could run with its power; name another login`)};
  elsif not ${exists(admin)} then
    create role ${name} login createrole;
  elsif ${is(sql`not rolcreaterole`)} then
    alter role ${name} createrole;
  end if;`,
        sql`if ${foreign} then
    raise exception using message = ${literal(foreignDatabase(plan))};
  end if;`,
        sql`if ${owned} then
    raise exception using message = ${literal(`the database "${plan.maintenanceDatabase}" belongs to a role of which ${name} is no member; make ${name} a member of that role if another stack uses the database, or else the owner of the database`)};
  end if;`,
      ),
    ),
  ];
}

/** Create Mayfly's own roles, and grant their memberships. */
export function rolePieces(plan: ProvisionPlan, admin: string): readonly Piece[] {
  const roles = wantedRoles(plan);
  return [
    "begin;",
    about(["Mayfly's own roles. The logins have no password yet."], block(...roles.map(makeRole))),
    about(
      [
        "Memberships: which roles may grant which, and which role ends sessions. From PostgreSQL 16 on",
        "the administrator needs ADMIN on each role; before 16, CREATEROLE is enough.",
      ],
      eachValueOf(membershipQuery(wantedMemberships(plan), administered(roles, admin))),
    ),
    seePiece(plan),
    ...ownerGroupPieces(ownerGroupsOf(plan), admin),
    "commit;",
  ];
}

/**
 * The grants that let the administrator add users of rotated secrets to an existing owner group.
 */
function ownerGroupPieces(groups: readonly string[], admin: string): readonly Piece[] {
  if (groups.length === 0) return [];
  const names = joined(groups.map(literal), sql`, `);
  return [
    about(
      [
        "The administrator grants these groups to rotated users. It cannot act as a group,",
        "but a role with ADMIN on a group can also grant the group to itself.",
      ],
      eachValueOf(sql`select pg_catalog.format('grant %I to %I with %s', g.rolname, u.rolname,
  case when m.member is null then 'admin true, inherit false, set false' else 'admin true' end)
from pg_catalog.pg_roles g
join pg_catalog.pg_roles u on u.rolname = ${literal(admin)}
left join (select roleid, member, pg_catalog.bool_or(admin_option) as administers
  from pg_catalog.pg_auth_members group by roleid, member) m on m.roleid = g.oid and m.member = u.oid
where g.rolname in (${names}) and m.administers is not true
  and pg_catalog.current_setting('server_version_num')::int >= ${integer(SPLIT_MEMBERSHIP)}`),
    ),
  ];
}

const makeRole = (role: WantedRole): Sql => sql`if not ${exists(role.name)} then
    ${joined(createRole(role), sql`;\n    `)};
  end if;`;

const truth = (value: boolean): Sql => (value ? sql`true` : sql`false`);

/** Only members of this role see where a session comes from. Not every DBA may grant it. */
const seePiece = ({ tag }: ProvisionPlan): Piece =>
  about(
    ["Lets receipts say whose sessions were ended, if the user of this script may grant it."],
    eachValueOf(sql`select pg_catalog.format('grant %I to %I', s.rolname, e.rolname)
from pg_catalog.pg_roles s, pg_catalog.pg_roles e
where s.rolname = ${literal(STATS_ROLE)} and e.rolname = ${literal(enderName(tag))}
  and not pg_catalog.pg_has_role(e.oid, s.oid, 'USAGE')
  and (exists (select from pg_catalog.pg_roles u where u.rolname = current_user
      and (u.rolsuper or u.rolcreaterole
        and pg_catalog.current_setting('server_version_num')::int < ${integer(SPLIT_MEMBERSHIP)}))
    or exists (select from pg_catalog.pg_auth_members m where m.roleid = s.oid and m.admin_option
      and pg_catalog.pg_has_role(m.member, 'USAGE')))`),
  );

const administered = (roles: readonly WantedRole[], admin: string): readonly WantedMembership[] =>
  [...roles.map(({ name }) => name), SIGNAL_ROLE].map((role) => ({
    role,
    member: admin,
    use: "administer",
  }));

function membershipQuery(
  always: readonly WantedMembership[],
  since16: readonly WantedMembership[],
): Sql {
  const row = (each: WantedMembership, before: Sql): Sql =>
    sql`(${literal(each.role)}, ${literal(each.member)}, ${truth(each.use === "administer")},
    ${before},
    ${literal(grantMembership(each, SPLIT_MEMBERSHIP))})`;
  const rows = [
    ...always.map((each) => row(each, literal(grantMembership(each, SPLIT_MEMBERSHIP - 1)))),
    ...since16.map((each) => row(each, sql`null`)),
  ];
  return sql`select case
  when pg_catalog.current_setting('server_version_num')::int < ${integer(SPLIT_MEMBERSHIP)}
    then w.before_16 else w.since_16 end
from (values
  ${joined(rows, sql`,\n  `)}
) as w(role, member, administers, before_16, since_16)
where not exists (
  select from pg_catalog.pg_auth_members m
  join pg_catalog.pg_roles r on r.oid = m.roleid
  join pg_catalog.pg_roles u on u.oid = m.member
  where r.rolname = w.role and u.rolname = w.member and (m.admin_option or not w.administers))`;
}

/** Create the maintenance database, owned by the administrator. */
export function maintenancePieces(plan: ProvisionPlan, admin: string): readonly Piece[] {
  const absent = sql`not exists (
  select from pg_catalog.pg_database where datname = ${literal(plan.maintenanceDatabase)})`;
  return [
    about(
      [
        "The database where Mayfly's role DDL runs. Only Mayfly's logins may connect. A user that is no",
        "superuser can create it only as a member of its owner.",
      ],
      runIf(
        sql`${absent}
and not pg_catalog.pg_has_role(${literal(admin)}, 'USAGE')`,
        sql`grant ${ident(admin)} to current_user`,
      ),
    ),
    runIf(absent, sql`${createMaintenance(plan)} owner ${ident(admin)}`),
    statements(
      markMaintenance(plan),
      shutOutPublic(plan),
      openMaintenance(plan),
      ...issuerLoginsOf(plan).map((login) => letIn(plan, login)),
    ),
    connectTo(plan.maintenanceDatabase),
    statements(emptyPublic),
  ];
}
