import { enderName, issuerLoginName, issuerRoleName, janitorName } from "../../../core/names.ts";
import type { ProvisionPlan } from "../../../core/provisioning/plan.ts";

/** A role, as wanted. All are NOCREATEDB. */
export interface WantedRole {
  readonly name: string;
  readonly login: boolean;
  readonly createRole: boolean;
  /** Only the role that ends sessions inherits: it uses the privileges of its memberships. */
  readonly inherit: boolean;
  /** -1 is no limit. */
  readonly connectionLimit: number;
  /** Readable by everyone in the cluster. */
  readonly comment: string;
}

/**
 * A membership, as wanted. `administer`: may only grant the role to leases. `inherit`: has its
 * privileges.
 */
export interface WantedMembership {
  readonly role: string;
  readonly member: string;
  readonly use: "administer" | "inherit";
}

/** The right to end other sessions (PostgreSQL 21.5). */
export const SIGNAL_ROLE = "pg_signal_backend";

/** The right to see whose sessions they are, from where and since when. */
export const STATS_ROLE = "pg_read_all_stats";

/** The issuer roles of a plan. */
export const shardsOf = ({ tag, shards }: ProvisionPlan): readonly string[] =>
  Array.from({ length: shards }, (_, shard) => issuerRoleName(tag, shard));

/** The two issuer logins of a plan. */
export const issuerLoginsOf = ({ tag }: ProvisionPlan): readonly [string, string] => [
  issuerLoginName(tag, "a"),
  issuerLoginName(tag, "b"),
];

/** The roles that must be able to connect to the application databases. */
export const entrantsOf = (plan: ProvisionPlan): readonly string[] => [
  ...Object.values(plan.roles).map(({ groupRole }) => groupRole),
  janitorName(plan.tag),
];

/** Every permanent role of Mayfly: issuer roles, logins, janitor, group roles. */
export function wantedRoles(plan: ProvisionPlan): readonly WantedRole[] {
  const plain = { login: false, createRole: false, inherit: false, connectionLimit: -1 };
  const login = { ...plain, login: true, connectionLimit: plan.loginConnectionLimit };
  return [
    ...shardsOf(plan).map((name) => ({
      ...plain,
      name,
      createRole: true,
      comment: "mayfly: creates and owns leases",
    })),
    ...issuerLoginsOf(plan).map((name) => ({
      ...login,
      name,
      comment: "mayfly: executes the verbs",
    })),
    {
      ...plain,
      name: enderName(plan.tag),
      inherit: true,
      comment: "mayfly: ends sessions of leases",
    },
    { ...login, name: janitorName(plan.tag), comment: "mayfly: clears what leases have left" },
    ...Object.entries(plan.roles).map(([role, { groupRole }]) => ({
      ...plain,
      name: groupRole,
      comment: `mayfly dynamic role ${role}`,
    })),
  ];
}

/** Every permanent membership of Mayfly's roles. */
export function wantedMemberships(plan: ProvisionPlan): readonly WantedMembership[] {
  const groups = Object.values(plan.roles).map(({ groupRole }) => groupRole);
  return [
    ...groups.flatMap((role) =>
      shardsOf(plan).map((member) => ({ role, member, use: "administer" as const })),
    ),
    { role: SIGNAL_ROLE, member: enderName(plan.tag), use: "inherit" },
  ];
}
