import type { ProvisionPlan } from "../provisioning/plan.ts";

/** A user of a rotated secret, as wanted. */
export interface WantedUser {
  readonly name: string;
  /** The secret's name in the configuration. */
  readonly secret: string;
  /** The NOLOGIN role whose privileges it has. */
  readonly group: string;
  /** It acts as its group, so that the other user can use the objects it creates. */
  readonly actsAsGroup: boolean;
}

type Plan = Pick<ProvisionPlan, "roles" | "rotatedUsers">;

const dynamicGroups = ({ roles }: Plan): readonly string[] =>
  Object.values(roles).map(({ groupRole }) => groupRole);

/**
 * Every user of every rotated secret, created now or by the first rotation. No user acts as the
 * group of a dynamic role: the role's leases would own its objects.
 */
export const wantedUsers = (plan: Plan): readonly WantedUser[] => {
  const dynamic = dynamicGroups(plan);
  return Object.entries(plan.rotatedUsers ?? {}).flatMap(
    ([secret, { strategy, usernames, group }]) =>
      usernames.map((name) => ({
        name,
        secret,
        group,
        actsAsGroup: strategy === "alternating-users" && !dynamic.includes(group),
      })),
  );
};

/**
 * The owner groups of rotated users, without the groups of dynamic roles, which the stack creates.
 */
export const ownerGroupsOf = (plan: Plan): readonly string[] => {
  const made = dynamicGroups(plan);
  const groups = new Set(wantedUsers(plan).map(({ group }) => group));
  return [...groups].filter((group) => !made.includes(group));
};

/**
 * `COMMENT ON ROLE` of a user that Mayfly created or was given: Mayfly sets its password and drops
 * it.
 */
export const rotatedUserComment = (tag: string, secret: string): string =>
  `${rotatedUsersOf(tag)}${secret}`;

/** The prefix of the comments of one tag's users. */
export const rotatedUsersOf = (tag: string): string => `mayfly rotated user of ${tag}/`;

/** The tag in such a comment. Undefined for any other comment. */
export const tagOfComment = (comment: string | null): string | undefined =>
  /^mayfly rotated user of ([a-z2-7]{4})\//.exec(comment ?? "")?.[1];
