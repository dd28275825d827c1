import { expect, test } from "vitest";
import { parseLeaseName } from "../../core/leases/lease-name.ts";
import type { Blocker } from "../../core/leases/lease-ports.ts";
import { type OperateDeps, operate } from "../../core/leases/operation/operate.ts";
import type { SweepOptions } from "../../core/leases/operation/sweep.ts";

const USERNAME = "mf_abcd_readonly_user-service_00000000aaabcdefghijkl";

/** What a status needs of an operator's parts: a database without leases. */
const partsOf = (aliasUnsealed?: boolean) =>
  ({
    database: "orders",
    tag: "abcd",
    engine: { list: async () => ({ roles: [], now: 0 }), noteWatched: async () => [] },
    aliasUnsealed,
  }) as unknown as OperateDeps;

const statusOf = (deps: OperateDeps) =>
  operate(deps, { action: "status" }, { actor: "operator", mayContinue: () => true });

test("a status says that aliases are unsealed, and nothing of it where they are not", async () => {
  expect(await statusOf(partsOf(true))).toEqual({ leases: [], foreign: 0, aliasUnsealed: true });
  for (const aliasUnsealed of [false, undefined])
    expect(await statusOf(partsOf(aliasUnsealed))).toEqual({ leases: [], foreign: 0 });
});

const NOW: SweepOptions = { actor: "operator", mayContinue: () => true };
const EVERYTHING = { action: "revoke", everything: true };

/** Pages of leases that cannot be dropped. */
function partsWithKept(blockers: readonly Blocker[], leasesOfPage: number): OperateDeps {
  const lease = { name: parseLeaseName(USERNAME), username: USERNAME, incarnation: "16500" };
  const page = Array.from({ length: leasesOfPage }, () => ({ kind: "lease", lease }));
  const latched = { kind: "latched", at: 0, wasOpen: false, ended: 0, memberships: [] };
  const each =
    <Answer>(answer: Answer) =>
    async (leases: readonly unknown[]) =>
      leases.map(() => answer);
  return {
    ...partsOf(),
    engine: {
      list: async () => ({ roles: page, now: 0, ...(leasesOfPage > 1 && { next: USERNAME }) }),
      findStrays: async () => [],
      latch: each(latched),
      endSessions: each({ server: "writer:5432", ended: 0, remaining: 0 }),
      drop: each({ kind: "blocked", blockers, litter: [] }),
    },
    readers: { list: async () => [] },
    telemetry: { audit: () => {}, measure: () => {} },
    time: { now: () => 0, wait: async () => {} },
  } as unknown as OperateDeps;
}

test("a revocation of many leases names those that are kept, and what keeps them", async () => {
  const owned = { database: "orders", catalog: "pg_proc", kind: "owner", count: 2 };
  expect(await operate(partsWithKept([owned], 1), EVERYTHING, NOW)).toEqual({
    revoked: 0,
    quarantined: 1,
    unverified: 0,
    failed: [],
    kept: [{ leaseId: `orders/readonly/${USERNAME}`, state: "quarantined", blockers: [owned] }],
  });
});

test("an answer with many blockers for each lease fits into 6 MB, and goes on after it", async () => {
  const why = "the janitor could not log in (28P01); ".repeat(4);
  const blockers = Array.from({ length: 50 }, (_, i) => {
    return { database: `tenant_${i}`, catalog: "pg_largeobject", kind: "owner", count: 1, why };
  });
  const answer = await operate(partsWithKept(blockers, 200), EVERYTHING, NOW);
  expect(JSON.stringify(answer).length).toBeLessThan(6_000_000);
  expect(answer).toMatchObject({ next: USERNAME });
});

test.each([
  [
    { action: "revoke", leaseId: `invoices/readonly/${USERNAME}` },
    "does not belong to database orders of this stack",
  ],
  [{ action: "revoke", consumer: "User Service" }, 'consumer "User Service" is not a text of'],
])("an operator's %j is an InvalidRequestError, and touches nothing", async (event, message) => {
  await expect(operate(partsOf(), event, NOW)).rejects.toMatchObject({
    name: "InvalidRequestError",
    message: expect.stringContaining(message),
  });
});
