import type { ProvisionPlan } from "../provisioning/plan.ts";

/** A user of a rotated secret as it is to be. */
export interface WantedUser {
  readonly name: string;
  /** The secret's name in the configuration. */
  readonly secret: string;
  /** The NOLOGIN role whose privileges it has. */
  readonly group: string;
  /** It acts as its group, so that what it makes is the other user's too. */
  readonly actsAsGroup: boolean;
}

type Plan = Pick<ProvisionPlan, "roles" | "rotatedUsers">;

const dynamicGroups = ({ roles }: Plan): readonly string[] =>
  Object.values(roles).map(({ groupRole }) => groupRole);

/**
 * Every user of every rotated secret, whether it is made already or by the first rotation. Nobody acts
 * as the group of a dynamic role: its leases would own what was made so.
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

/** The groups of rotated users that are not a dynamic role's: those are made with the stack. */
export const ownerGroupsOf = (plan: Plan): readonly string[] => {
  const made = dynamicGroups(plan);
  const groups = new Set(wantedUsers(plan).map(({ group }) => group));
  return [...groups].filter((group) => !made.includes(group));
};

/** `COMMENT ON ROLE` of a user that Mayfly made, or was given: it sets its password, and drops it. */
export const rotatedUserComment = (tag: string, secret: string): string =>
  `${rotatedUsersOf(tag)}${secret}`;

/** What the comments of one tag's users begin with. */
export const rotatedUsersOf = (tag: string): string => `mayfly rotated user of ${tag}/`;

/** The tag in such a comment; `undefined` for any other. */
export const tagOfComment = (comment: string | null): string | undefined =>
  /^mayfly rotated user of ([a-z2-7]{4})\//.exec(comment ?? "")?.[1];
