/** The functions that hold connections as the issuer login, and how many of each may run at once. */
export const CONCURRENCY = { issuer: 5, revoker: 2, sweeper: 1, operator: 1 } as const;

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
