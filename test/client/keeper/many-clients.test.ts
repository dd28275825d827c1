import { expect, test } from "vitest";
import { simulateClients } from "../../support/many-clients.ts";

/** `npm run test:keepers` has ten thousand. */
const CLIENTS = Number(process.env.MAYFLY_KEEPERS ?? 150);

test(`${CLIENTS} clients: an outage, clocks that are set by an hour, maxima`, async () => {
  const result = await simulateClients({ clients: CLIENTS, seed: 12 });
  if (process.env.MAYFLY_KEEPERS !== undefined) console.log(result);
  // every client, whatever happens to it
  expect(result.refusedConnections).toBe(0);
  expect(result.unannouncedEnds).toBe(0);
  expect(result.handedOutDead).toBe(0);
  expect(result.mostCalls).toBeLessThanOrEqual(80);
  expect(result.mostCallsInOutage).toBeLessThanOrEqual(35);
  // the outage hurts, or this would prove nothing
  expect(result.refusedInOutage).toBeGreaterThan(CLIENTS / 4);
  // all of them together: in the outage, a call of each in 30 seconds, and chance
  expect(result.mostCallsInASecond).toBeLessThanOrEqual(CLIENTS / 10);
}, 1_200_000); // of ten thousand, on a busy machine
