/** What a run of the provisioner changed. All is 0 when everything was as the plan says. */
export interface ConvergeReport {
  readonly rolesMade: number;
  /** Roles whose attributes somebody had changed; of rotated users, also what else they may. */
  readonly rolesCorrected: number;
  /** Groups of dynamic roles, and rotated users, that are in no configuration any more. */
  readonly rolesDropped: number;
  readonly membershipsGranted: number;
  /** Of logins that Mayfly made: the database did not know the one that its secret holds. */
  readonly passwordsSet: number;
  /** One for each privilege of one role on one object, default privileges included. */
  readonly privilegesGranted: number;
  readonly privilegesWithdrawn: number;
  /** Leases that nobody is granted any more. */
  readonly leasesRevoked: number;
  /** Likewise, but something keeps their roles: latched, and counted by every run until then. */
  readonly leasesQuarantined: number;
  /** What somebody has to look at. */
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
  leasesRevoked: 0,
  leasesQuarantined: 0,
};

/** What several steps changed, in one. A step tells only what it is about. */
export function changesOf(...steps: readonly Partial<Changes>[]): Changes {
  const keys = Object.keys(NOTHING) as (keyof Changes)[];
  const sum = (key: keyof Changes): number =>
    steps.reduce((total, step) => total + (step[key] ?? 0), 0);
  return { ...NOTHING, ...Object.fromEntries(keys.map((key) => [key, sum(key)])) };
}

/** What counts leases: they have metrics of their own. */
const OF_LEASES: readonly string[] = ["leasesRevoked", "leasesQuarantined"];

/** How much a run changed in the database, leases apart. */
export const totalOf = (changes: Changes): number =>
  Object.entries(changesOf(changes))
    .filter(([key]) => !OF_LEASES.includes(key))
    .reduce((sum, [, count]) => sum + count, 0);
