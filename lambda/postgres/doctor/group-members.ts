import type { Flaw } from "../../../core/doctor/examiner.ts";
import { parseLeaseName } from "../../../core/leases/lease-name.ts";
import { SPLIT_MEMBERSHIP } from "../connection/session.ts";
import { ident, sql } from "../connection/sql.ts";
import { SIGNAL_ROLE, STATS_ROLE, shardsOf, wantedRoles } from "../provisioning/wanted-roles.ts";
import { type ClusterLook, flawsOr, type Look, run } from "./looking.ts";

interface Edge {
  readonly role: string;
  readonly member: string;
  readonly grantor: string | null;
  /** The member can log in, and for ever. */
  readonly lasting: boolean;
  /** The member was given more than the right to grant the role. */
  readonly uses: boolean;
}

/** `$1` roles; memberships on either end. Before 16 whoever is a member uses the role. */
const edges = (version: number) => sql`
select r.rolname::text as role, u.rolname::text as member, b.rolname::text as grantor,
  u.rolcanlogin and (u.rolvaliduntil is null or u.rolvaliduntil = 'infinity') as lasting,
  ${version >= SPLIT_MEMBERSHIP ? sql`m.inherit_option or m.set_option` : sql`true`} as uses
from pg_catalog.pg_auth_members m
join pg_catalog.pg_roles r on r.oid = m.roleid
join pg_catalog.pg_roles u on u.oid = m.member
left join pg_catalog.pg_roles b on b.oid = m.grantor
where r.rolname = any ($1::text[]) or u.rolname = any ($1::text[])
order by 1, 2, 3`;

/** Who takes back a membership: from 16 on only who granted it can. */
const revoking = ({ admin, version, plan }: ClusterLook, { role, member, grantor }: Edge) =>
  run(
    {
      database: plan.maintenanceDatabase,
      as: version >= SPLIT_MEMBERSHIP ? (grantor ?? admin) : admin,
    },
    [sql`REVOKE ${ident(role)} FROM ${ident(member)}`],
  );

const rotatedIn = ({ rotatedUsers = {} }: ClusterLook["plan"]): readonly string[] =>
  Object.values(rotatedUsers).flatMap(({ usernames }) => usernames);

/** Members of groups that are no leases, and of Mayfly's other roles; and what all are members of. */
export const lookAtMembers: Look = async (look) => {
  const { session, plan, admin, groups, version } = look;
  const others = wantedRoles(plan)
    .map(({ name }) => name)
    .filter((name) => !groups.includes(name));
  const rows = await session.rows<Edge>("read the groups' members", edges(version), [
    [...groups, ...others],
  ]);
  // users of rotated secrets may have the privileges of a group
  const own = new Set([...shardsOf(plan), admin, ...rotatedIn(plan)]);
  const isLease = (name: string): boolean => parseLeaseName(name)?.tag === plan.tag;
  const strangers = rows.filter(
    ({ role, member }) => groups.includes(role) && !own.has(member) && !isLease(member),
  );
  const intruders = rows.filter(({ role, member }) => others.includes(role) && member !== admin);
  // what a lease or a group lets them do is looked at elsewhere
  const meant = new Set([...groups, SIGNAL_ROLE, STATS_ROLE, RDS_IAM]);
  const parents = rows.filter(
    ({ role, member }) =>
      groups.includes(member) ||
      (others.includes(member) && !others.includes(role) && !meant.has(role) && !isLease(role)),
  );
  const flawOf = (edge: Edge, evidence: string): Flaw => ({
    check: "group-members",
    subject: edge.member,
    verdict: "broken",
    evidence: `${edge.member} is a member of ${edge.role}${evidence}`,
    fix: revoking(look, edge),
  });
  const flaws = [
    ...strangers.map((edge) =>
      flawOf(edge, ` and no lease${edge.lasting ? "; its login never expires" : ""}`),
    ),
    ...intruders.map((edge) => flawOf(edge, ", so it may what that role of Mayfly's may")),
    ...parents.map((edge) =>
      flawOf(
        edge,
        groups.includes(edge.member)
          ? `, so every lease may what ${edge.role} may`
          : ", which Mayfly does not need",
      ),
    ),
  ];
  return flawsOr(flaws, {
    check: "group-members",
    subject: `${groups.length} groups, and ${others.length} other roles of Mayfly's`,
    evidence:
      "members of groups are leases and rotated users, the others have none, and all are members of what they need",
  });
};

/** RDS turns off the passwords of whoever is a member of this role. */
const RDS_IAM = "rds_iam";

/** Mayfly's logins and leases have passwords, which RDS refuses from members of `rds_iam`. */
export const lookAtRdsIam: Look = async (look) => {
  const { session, plan, version } = look;
  const rows = await session.rows<Edge>("look for rds_iam", edges(version), [[RDS_IAM]]);
  const rotated = rotatedIn(plan);
  const wrong = rows.filter(
    ({ role, member }) =>
      role === RDS_IAM && (member.startsWith(`mf_${plan.tag}_`) || rotated.includes(member)),
  );
  return flawsOr(
    wrong.map(
      (edge): Flaw => ({
        check: "rds-iam",
        subject: edge.member,
        verdict: "broken",
        evidence: `${edge.member} is a member of ${RDS_IAM}: RDS refuses its password, and that of its members`,
        fix: revoking(look, edge),
      }),
    ),
    {
      check: "rds-iam",
      subject: "groups, logins and leases",
      evidence: `none is a member of ${RDS_IAM}`,
    },
  );
};
