import { expect, test } from "vitest";
import type { Facts } from "../../demo/story.ts";
import { demo, nothingLeft } from "../support/demo.ts";

test("the demo tells one lease's story to its end, and leaves nothing behind", async () => {
  const { status, stdout } = await demo(["--json"]).ended;
  expect(status).toBe(0);
  const facts = JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Facts;
  expect(facts).toMatchObject({
    tls: "TLSv1.3",
    rowsRead: 5,
    insertSqlState: "42501",
    denial: expect.stringContaining("is not authorized to perform: lambda:InvokeFunction"),
    replayIsSame: true,
    atExpiry: { loginSqlState: "28P01" },
    receipt: { state: "revoked", blockers: [], servers: [{ sessionsEnded: 1 }] },
    sweep: { live: 0, revoked: 0, left: 0, foreign: [] },
  });
  const { rotations } = facts;
  expect(rotations.map(({ secret }) => secret)).toEqual(["issuer", "shop", "reports", "admin"]);
  for (const { secret, logins, refused, formerSqlState, kills } of rotations) {
    const hasTwoUsers = ["issuer", "shop"].includes(secret);
    expect(logins).toBeGreaterThan(1);
    expect(refused).toBeLessThan(hasTwoUsers ? 1 : logins);
    expect(formerSqlState).toBe(hasTwoUsers ? undefined : "28P01");
    expect(kills).toBe(3);
  }
  const { application } = facts;
  expect(application?.users).toBeGreaterThan(3);
  expect(application?.replaced.failed).toEqual([]);
  expect(application?.replaced.queries).toBeGreaterThan(100);
  // it works again
  expect(application?.revoked.queries).toBeGreaterThan(0);
  expect(application?.restarted.queries).toBeGreaterThan(0);
  expect(facts.renewedBySeconds).toBeGreaterThan(0);
  const { sessionEndedMs, roleGoneMs } = facts.atExpiry;
  expect(sessionEndedMs).toBeGreaterThanOrEqual(0);
  expect(Math.max(sessionEndedMs, roleGoneMs)).toBeLessThan(60_000); // beside other tests
  for (const word of [
    "ask",
    "use",
    "deny",
    "replay",
    "renew",
    "expire",
    "receipt",
    "sweep",
    "rotate",
    "sessions",
    "kill",
    "replace",
    "revoke",
    "restart",
  ])
    expect(stdout).toMatch(new RegExp(`^  ${word} `, "m"));
  await nothingLeft();
});
