import { formatShard } from "../../../core/names.ts";

/**
 * Raised whenever a bundle of today could not use the functions of tomorrow. A deployment installs its
 * own version beside the one before, whose functions go on until the next one.
 */
export const VERBS_VERSION = 1;

/**
 * How a verb is installed. `shard`: its body runs as whoever executes it, and a thin wrapper for each
 * issuer role runs as that one. `login`: the issuer logins execute it as themselves. `ender`: it runs
 * as the role that may end sessions, for issuer roles alone.
 */
export type VerbKind =
  | { readonly runsAs: "shard"; readonly lockTimeout: string }
  | { readonly runsAs: "login" | "ender" };

/** The verbs, by function; each stands in a file of its own beside this one. */
export const VERBS = {
  end_sessions_of: { runsAs: "ender" },
  end_holders: { runsAs: "ender" },
  issue: { runsAs: "shard", lockTimeout: "2s" },
  renew: { runsAs: "shard", lockTimeout: "2s" },
  latch: { runsAs: "shard", lockTimeout: "50ms" },
  end_sessions: { runsAs: "shard", lockTimeout: "1s" },
  lend: { runsAs: "shard", lockTimeout: "50ms" },
  drop_leases: { runsAs: "shard", lockTimeout: "50ms" },
  annotate: { runsAs: "shard", lockTimeout: "2s" },
  blockers: { runsAs: "login" },
  list: { runsAs: "login" },
  look: { runsAs: "login" },
  sighting: { runsAs: "login" },
  strays: { runsAs: "login" },
  sweep: { runsAs: "login" },
} as const satisfies Readonly<Record<string, VerbKind>>;

export type Verb = keyof typeof VERBS;

/** Where a tag's declarations stand; the schemas of its verbs are named after it. */
export const declaredSchema = (tag: string): string => `mf_${tag}`;

/** Where one version of a tag's verbs stands. */
export const verbsSchema = (tag: string, version: number = VERBS_VERSION): string =>
  `mf_${tag}_v${version}`;

/** The function of one verb that the issuer logins call. */
export const functionName = (verb: Verb, shard: number): string =>
  VERBS[verb].runsAs === "shard" ? `${verb}_${formatShard(shard)}` : verb;
