import { formatShard } from "../../../core/names.ts";

/**
 * Raised whenever an existing bundle could not use new functions. A deployment installs its version
 * beside the previous one, which stays until the next deployment.
 */
export const VERBS_VERSION = 1;

/**
 * How a verb is installed. `shard`: a wrapper per issuer role runs the body as that role. `login`:
 * the issuer logins run it as themselves. `ender`: it runs as the role that may end sessions, and
 * only issuer roles may execute it.
 */
export type VerbKind =
  | { readonly runsAs: "shard"; readonly lockTimeout: string }
  | { readonly runsAs: "login" | "ender" };

/** The verbs. Each has its own SQL file in verbs/. */
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
  watched: { runsAs: "shard", lockTimeout: "2s" },
  note_watched: { runsAs: "shard", lockTimeout: "2s" },
  blockers: { runsAs: "login" },
  list: { runsAs: "login" },
  look: { runsAs: "login" },
  sighting: { runsAs: "login" },
  strays: { runsAs: "login" },
  sweep: { runsAs: "login" },
} as const satisfies Readonly<Record<string, VerbKind>>;

export type Verb = keyof typeof VERBS;

/** The schema of a tag's declarations; the names of its verb schemas begin with it. */
export const declaredSchema = (tag: string): string => `mf_${tag}`;

/** The schema of one version of a tag's verbs. */
export const verbsSchema = (tag: string, version: number = VERBS_VERSION): string =>
  `mf_${tag}_v${version}`;

/** The name of the function that the issuer logins call for a verb. */
export const functionName = (verb: Verb, shard: number): string =>
  VERBS[verb].runsAs === "shard" ? `${verb}_${formatShard(shard)}` : verb;
