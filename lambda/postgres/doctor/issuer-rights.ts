import type { Flaw } from "../../../core/doctor/examiner.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, sql } from "../connection/sql.ts";
import { grantMembership, isSatisfied } from "../provisioning/converge/roles.ts";
import { type AdministeringMembership, memberships } from "../provisioning/memberships.ts";
import {
  type WantedMembership,
  wantedMemberships,
  wantedRoles,
} from "../provisioning/wanted-roles.ts";
import { type ClusterLook, flawsOr, type Look, run } from "./looking.ts";

type State = AdministeringMembership | undefined;

/** What the issuer roles may grant to leases, and that they may not use it themselves. */
export const lookAtIssuers: Look = async (look) => {
  const { session, plan, version } = look;
  const wanted = wantedMemberships(plan);
  const members = [...new Set(wanted.map(({ member }) => member))];
  const rows = await session.rows<AdministeringMembership>(
    "read what issuer roles may grant",
    memberships(version),
    [members],
  );
  const states = new Map(rows.map((row) => [`${row.role} ${row.member}`, row]));
  const wrong = wanted.filter((each) => {
    const state = states.get(`${each.role} ${each.member}`);
    return state === undefined || !isSatisfied(each.use, state);
  });
  const flaws = wrong.flatMap((each) =>
    mend(look, each, states.get(`${each.role} ${each.member}`)),
  );
  return flawsOr(flaws, {
    check: "issuer-admin",
    subject: `${plan.shards} issuer roles`,
    evidence: `each may grant ${Object.keys(plan.roles).length} groups, and has none of their privileges`,
  });
};

function mend(
  { plan, admin, version }: ClusterLook,
  wanted: WantedMembership,
  state: State,
): readonly Flaw[] {
  const { role, member, use } = wanted;
  const seen = { check: "issuer-admin", subject: `${member} and ${role}` };
  const database = plan.maintenanceDatabase;
  const lacks = use === "administer" ? state?.admin !== true : state?.inherit !== true;
  if (lacks)
    return [
      {
        ...seen,
        verdict: "broken",
        evidence: `${member} ${use === "administer" ? "may not grant" : "does not have"} ${role}`,
        fix: run({ database, as: admin }, [grantMembership(wanted, version)]),
      },
    ];
  const evidence = `${member} has ${role}'s privileges, and may only grant them`;
  if (version < SPLIT_MEMBERSHIP)
    return [
      {
        ...seen,
        verdict: "warning",
        evidence,
        fix: run({ database, as: admin }, [sql`ALTER ROLE ${ident(member)} NOINHERIT`]),
      },
    ];
  return (state?.wideners ?? []).map((grantor) => ({
    ...seen,
    verdict: "warning",
    evidence: `${evidence}; ${grantor} granted that`,
    fix: run({ database, as: grantor }, [
      // who also granted ADMIN takes back the rest alone
      grantor === admin
        ? grantMembership(wanted, version)
        : sql`REVOKE ${ident(role)} FROM ${ident(member)}`,
    ]),
  }));
}

interface Attributes {
  readonly name: string;
  readonly login: boolean;
  readonly create_role: boolean;
  readonly powerful: boolean;
}

/** `$1` role names. */
const attributes = sql`
select rolname::text as name, rolcanlogin as login, rolcreaterole as create_role,
  rolsuper or rolreplication or rolbypassrls or rolcreatedb as powerful
from pg_catalog.pg_roles where rolname = any ($1::text[])`;

/** Mayfly's own roles: they exist, and have the attributes that they need and no more. */
export const lookAtOwnRoles: Look = async ({ session, plan, admin }) => {
  const wanted = wantedRoles(plan);
  const rows = await session.rows<Attributes>("read Mayfly's roles", attributes, [
    wanted.map(({ name }) => name),
  ]);
  const states = new Map(rows.map((row) => [row.name, row]));
  const to = { database: plan.maintenanceDatabase, as: admin };
  const flaws = wanted.flatMap((role): Flaw[] => {
    const state = states.get(role.name);
    const seen = { check: "own-roles", subject: role.name };
    const name = ident(role.name);
    if (state === undefined)
      return [
        {
          ...seen,
          verdict: "broken",
          evidence: `the role ${role.name} does not exist`,
          fix: { kind: "step", text: "run mayfly converge, which makes the role again" },
        },
      ];
    const needs = [
      ...(role.login && !state.login ? [sql`LOGIN`] : []),
      ...(role.createRole && !state.create_role ? [sql`CREATEROLE`] : []),
    ];
    const excess = [
      ...(!role.login && state.login ? [sql`NOLOGIN`] : []),
      ...(!role.createRole && state.create_role ? [sql`NOCREATEROLE`] : []),
    ];
    const power = sql`NOSUPERUSER NOREPLICATION NOBYPASSRLS NOCREATEDB`;
    const change = [...needs, ...excess];
    if (state.powerful)
      return [
        {
          ...seen,
          verdict: "broken",
          evidence: `${role.name} has SUPERUSER, REPLICATION, BYPASSRLS or CREATEDB`,
          // only a superuser may take that away; on RDS nobody can give it
          fix: {
            kind: "step",
            text: `have a superuser run: ALTER ROLE ${name} ${power};`,
          },
        },
      ];
    if (change.length === 0) return [];
    return [
      {
        ...seen,
        verdict: needs.length > 0 ? "broken" : "warning",
        evidence: `${role.name} must be ${change.join(" and ")}`,
        fix: run(
          to,
          change.map((word) => sql`ALTER ROLE ${name} ${word}`),
        ),
      },
    ];
  });
  return flawsOr(flaws, {
    check: "own-roles",
    subject: `${wanted.length} roles of tag ${plan.tag}`,
    evidence: "all exist with the attributes that they need, and no others",
  });
};
