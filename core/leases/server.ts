/** The server that leases are made on, as far as it can be told from a copy of it. */
export interface ServerMark {
  /** What the deployment calls it: a resource id, or `host:port`. */
  readonly instance: string;
  /**
   * Of its write-ahead log, 1 or more: a promotion or a recovery to a point in time raises it.
   * Absent where the server does not tell.
   */
  readonly timeline?: number;
}

/** What the stack's stamp in the database says, and what has answered. */
export interface Sighting {
  /** Absent when there is none: a stack that was deployed before there were such stamps. */
  readonly stamped?: ServerMark;
  readonly seen: ServerMark;
}

/**
 * What a sighting means. `other`: a copy, a restored or a promoted server, on which leases may be
 * alive that were revoked elsewhere. What is not known is never taken for a difference.
 */
export function judgeServer({ stamped, seen }: Sighting): "same" | "other" | "unknown" {
  if (stamped === undefined) return "unknown";
  if (stamped.instance !== seen.instance) return "other";
  const { timeline } = stamped;
  const isRaised =
    timeline !== undefined && seen.timeline !== undefined && timeline !== seen.timeline;
  return isRaised ? "other" : "same";
}
