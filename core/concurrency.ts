/** The functions that connect as the issuer login, and how many of each may run at once. */
export const CONCURRENCY = { issuer: 5, revoker: 2, sweeper: 1, operator: 1 } as const;

/**
 * Maximum of messages that the revoker gets in one invocation: Lambda's limit without a batching
 * window. With a window, a queue with little traffic may wait for 20 seconds.
 */
export const MESSAGES_AT_ONCE = 10;

/** After a deployment, frozen instances of the old version keep their connections for a while. */
const GENERATIONS = 2;
/** Additional connections, for an operator's own session and for a restart. */
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
 * How many issuer instances fit into the login's connections if no concurrency is reserved. The
 * queue still limits the revoker, and only one sweep runs at a time.
 */
export const issuersThatFit = (): number =>
  CONNECTIONS_WITHOUT_RESERVATION -
  SPARE_CONNECTIONS -
  (CONCURRENCY.revoker + CONCURRENCY.sweeper + CONCURRENCY.operator);
