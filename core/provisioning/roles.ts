import { issuerLoginName, issuerRoleName, janitorName } from "../names.ts";
import type { ProvisionPlan } from "./plan.ts";

/** A role as it is to be. Every one is NOINHERIT and NOCREATEDB. */
export interface WantedRole {
  readonly name: string;
  readonly login: boolean;
  readonly createRole: boolean;
  /** -1 is no limit. */
  readonly connectionLimit: number;
  /** Readable by everyone in the cluster. */
  readonly comment: string;
}

/**
 * A membership as it is to be. `administer`: may grant the role to leases, and no more.
 * `become`: may `SET ROLE` to it, and inherits nothing.
 */
export interface WantedMembership {
  readonly role: string;
  readonly member: string;
  readonly use: "administer" | "become";
}

/** The right to end other sessions (PostgreSQL 21.5). */
export const SIGNAL_ROLE = "pg_signal_backend";

const shardsOf = ({ tag, shards }: ProvisionPlan): readonly string[] =>
  Array.from({ length: shards }, (_, shard) => issuerRoleName(tag, shard));

/** The two issuer logins of a plan. */
export const issuerLoginsOf = ({ tag }: ProvisionPlan): readonly [string, string] => [
  issuerLoginName(tag, "a"),
  issuerLoginName(tag, "b"),
];

/** Whatever an issuer login must be able to become. */
export const becomableRoles = (plan: ProvisionPlan): readonly string[] => [
  ...shardsOf(plan),
  SIGNAL_ROLE,
];

/** Whoever must be able to connect to the application databases. */
export const entrantsOf = (plan: ProvisionPlan): readonly string[] => [
  ...Object.values(plan.roles).map(({ groupRole }) => groupRole),
  janitorName(plan.tag),
];

/** Every role that Mayfly keeps for good: issuer roles, logins, janitor, group roles. */
export function wantedRoles(plan: ProvisionPlan): readonly WantedRole[] {
  const plain = { login: false, createRole: false, connectionLimit: -1 };
  const login = { login: true, createRole: false, connectionLimit: plan.loginConnectionLimit };
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
      comment: "mayfly: logs in as an issuer role",
    })),
    { ...login, name: janitorName(plan.tag), comment: "mayfly: hands over what leases owned" },
    ...Object.entries(plan.roles).map(([role, { groupRole }]) => ({
      ...plain,
      name: groupRole,
      comment: `mayfly dynamic role ${role}`,
    })),
  ];
}

/** Every membership that Mayfly keeps for good. */
export function wantedMemberships(plan: ProvisionPlan): readonly WantedMembership[] {
  const groups = Object.values(plan.roles).map(({ groupRole }) => groupRole);
  return [
    ...groups.flatMap((role) =>
      shardsOf(plan).map((member) => ({ role, member, use: "administer" as const })),
    ),
    ...issuerLoginsOf(plan).flatMap((member) =>
      becomableRoles(plan).map((role) => ({ role, member, use: "become" as const })),
    ),
  ];
}
