/** The functions that hold connections as the issuer login, and how many of each may run at once. */
export const CONCURRENCY = { issuer: 5, revoker: 2, sweeper: 1, operator: 1 } as const;

/**
 * Messages that the revoker gets with one invocation at most: as many as Lambda hands over without a
 * batching window. With any window, a queue with little traffic may wait for 20 seconds.
 */
export const MESSAGES_AT_ONCE = 10;

/** After a deployment, frozen instances of the old version hold their connections for a while. */
const GENERATIONS = 2;
/** Connections that an operator's own session and a restart may need beside the functions'. */
const SPARE_CONNECTIONS = 2;
const CONNECTIONS_WITHOUT_RESERVATION = 50;

/** How many connections each issuer login may hold. */
export function connectionsOfLogin(reserveConcurrency: boolean): number {
  const reserved: readonly number[] = Object.values(CONCURRENCY);
  const atOnce = reserved.reduce((sum, n) => sum + n, 0);
  return reserveConcurrency
    ? GENERATIONS * atOnce + SPARE_CONNECTIONS
    : CONNECTIONS_WITHOUT_RESERVATION;
}

/**
 * How many instances of the issuer fit the login's connections where no concurrency is reserved: the
 * queue keeps the revoker to its number all the same, and there is one sweep at a time.
 */
export const issuersThatFit = (): number =>
  CONNECTIONS_WITHOUT_RESERVATION -
  SPARE_CONNECTIONS -
  (CONCURRENCY.revoker + CONCURRENCY.sweeper + CONCURRENCY.operator);
