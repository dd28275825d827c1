import { expect, test } from "vitest";
import { leftOf, NOTHING, oidOf } from "../support/evidence.ts";
import { fleet } from "../support/fleet.ts";
import { type Issuer, revokeLife } from "../support/leases.ts";
import { type Storm, storm } from "../support/storm.ts";

/** How many leases are revoked; `npm run test:storm` asks for more. */
const REVOCATIONS = Number(process.env.MAYFLY_STORM ?? 15);
/** Leases under way at one time. */
const BATCH = 5;
/** Loops that log in with each: 4 to 8, by turns. */
const loopsOf = (n: number): number => 4 + (n % 5);

test(`${REVOCATIONS} leases revoked while 4 to 8 loops log in with each leave no session`, {
  timeout: 120_000 + REVOCATIONS * 2_000,
}, async () => {
  const three = await fleet(3);
  const [first] = three.instances;
  const seen = { revoked: 0, logins: 0, ended: 0, stragglers: 0, survivors: 0 };

  async function revokeInStorm(instance: Issuer, n: number): Promise<void> {
    const credential = await instance.issue();
    const { leaseId, username } = credential;
    const oid = await oidOf(three.test, username);
    const around: Storm = storm(three.test, credential, loopsOf(n));
    await around.raging;
    const scheduled = { leaseId, incarnation: oid };
    const options = { onlyIfDue: false, actor: "test" };
    const receipt = await revokeLife(instance.deps, scheduled, options);
    const { logins } = await around.stop();
    const again = await revokeLife(instance.deps, scheduled, options);
    const left = await leftOf(three.test, credential, oid);
    await around.clear();
    expect(receipt).toMatchObject({ state: "revoked", servers: [{ sessionsRemaining: 0 }] });
    expect(again.state).toBe("gone");
    seen.revoked += 1;
    seen.logins += logins;
    seen.ended += receipt.servers.reduce((sum, { sessionsEnded }) => sum + sessionsEnded, 0);
    for (const { servers } of [receipt, again])
      seen.stragglers += servers.reduce((sum, { stragglersEnded }) => sum + stragglersEnded, 0);
    seen.survivors += left.sessions;
    expect(left).toEqual(NOTHING);
  }

  for (let n = 0; n < REVOCATIONS; n += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, REVOCATIONS - n) }, (_, k) => n + k);
    await Promise.all(batch.map((each) => revokeInStorm(three.instances[each % 3] ?? first, each)));
  }
  console.log(JSON.stringify(seen));
  expect(seen).toMatchObject({ revoked: REVOCATIONS, survivors: 0 });
  await three.close();
});
