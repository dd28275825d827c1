/** What a run of the provisioner changed. Every count is 0 if everything matched the plan. */
export interface ConvergeReport {
  readonly rolesMade: number;
  /** Roles whose attributes were corrected; for rotated users also settings and memberships. */
  readonly rolesCorrected: number;
  /** Groups of dynamic roles and rotated users that are no longer in the configuration. */
  readonly rolesDropped: number;
  readonly membershipsGranted: number;
  /**
   * Passwords of Mayfly's logins that were set because the database did not accept the one in the
   * secret.
   */
  readonly passwordsSet: number;
  /** Privileges, each of one role on one object, including default privileges. */
  readonly privilegesGranted: number;
  readonly privilegesWithdrawn: number;
  /** Users that are watched from now on, and users that are no longer watched. */
  readonly watchesBegun: number;
  readonly watchesEnded: number;
  /** Revoked leases whose grant was removed. */
  readonly leasesRevoked: number;
  /**
   * Such leases that are latched but cannot be dropped yet. Every run counts them until they are
   * dropped.
   */
  readonly leasesQuarantined: number;
  /** Warnings that an operator must look at. */
  readonly warnings: readonly string[];
}

/** The counts of a {@link ConvergeReport}. */
export type Changes = Omit<ConvergeReport, "warnings">;

const NOTHING: Changes = {
  rolesMade: 0,
  rolesCorrected: 0,
  rolesDropped: 0,
  membershipsGranted: 0,
  passwordsSet: 0,
  privilegesGranted: 0,
  privilegesWithdrawn: 0,
  watchesBegun: 0,
  watchesEnded: 0,
  leasesRevoked: 0,
  leasesQuarantined: 0,
};

/** The sum of what several steps changed. A step lists only its own counts. */
export function changesOf(...steps: readonly Partial<Changes>[]): Changes {
  const keys = Object.keys(NOTHING) as (keyof Changes)[];
  const sum = (key: keyof Changes): number =>
    steps.reduce((total, step) => total + (step[key] ?? 0), 0);
  return { ...NOTHING, ...Object.fromEntries(keys.map((key) => [key, sum(key)])) };
}

/** The counts of leases, which have their own metrics. */
const OF_LEASES: readonly string[] = ["leasesRevoked", "leasesQuarantined"];

/** How much a run changed in the database, without leases. */
export const totalOf = (changes: Changes): number =>
  Object.entries(changesOf(changes))
    .filter(([key]) => !OF_LEASES.includes(key))
    .reduce((sum, [, count]) => sum + count, 0);
