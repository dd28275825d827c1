/** The identity of the server on which leases are created, which distinguishes it from a copy. */
export interface ServerMark {
  /** The server's id in the deployment: a resource id, or `host:port`. */
  readonly instance: string;
  /**
   * The timeline of its write-ahead log, 1 or more. A promotion or a point-in-time recovery raises
   * it. Undefined if the server does not tell.
   */
  readonly timeline?: number;
}

/** The server in the stack's stamp in the database, and the server that answered. */
export interface Sighting {
  /** Undefined for a stack that was deployed before stamps existed. */
  readonly stamped?: ServerMark;
  readonly seen: ServerMark;
}

/**
 * Compare the two servers. `other`: a copy, a restored or a promoted server, where leases may be
 * alive that were revoked elsewhere. Unknown values do not count as a difference.
 */
export function judgeServer({ stamped, seen }: Sighting): "same" | "other" | "unknown" {
  if (stamped === undefined) return "unknown";
  if (stamped.instance !== seen.instance) return "other";
  const { timeline } = stamped;
  const isRaised =
    timeline !== undefined && seen.timeline !== undefined && timeline !== seen.timeline;
  return isRaised ? "other" : "same";
}
