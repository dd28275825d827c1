import { expect, test } from "vitest";
import { parseLeaseName } from "../../core/leases/lease-name.ts";
import { type OperateDeps, operate } from "../../core/leases/operation/operate.ts";

/** What a status needs of an operator's parts: a database without leases. */
const partsOf = (aliasUnsealed?: boolean) =>
  ({
    database: "orders",
    tag: "abcd",
    engine: { list: async () => ({ roles: [], now: 0 }) },
    aliasUnsealed,
  }) as unknown as OperateDeps;

const statusOf = (deps: OperateDeps) =>
  operate(deps, { action: "status" }, { actor: "operator", mayContinue: () => true });

test("a status says that aliases are unsealed, and nothing of it where they are not", async () => {
  expect(await statusOf(partsOf(true))).toEqual({ leases: [], foreign: 0, aliasUnsealed: true });
  for (const aliasUnsealed of [false, undefined])
    expect(await statusOf(partsOf(aliasUnsealed))).toEqual({ leases: [], foreign: 0 });
});

test("a revocation of many leases names those that are kept, and what keeps them", async () => {
  const username = "mf_abcd_readonly_user-service_00000000aaabcdefghijkl";
  const name = parseLeaseName(username);
  const lease = { name, username, incarnation: "16500", canLogin: true };
  const owned = { database: "orders", catalog: "pg_proc", kind: "owner", count: 2 };
  const latched = { kind: "latched", at: 0, wasOpen: false, ended: 0, memberships: [] };
  const engine = {
    list: async () => ({ roles: [{ kind: "lease", lease }], now: 0 }),
    findStrays: async () => [],
    latch: async () => [latched],
    endSessions: async () => [{ server: "writer:5432", ended: 0, remaining: 0 }],
    drop: async () => [{ kind: "blocked", blockers: [owned], litter: [] }],
  };
  const deps = {
    ...partsOf(),
    engine,
    readers: { list: async () => [] },
    telemetry: { audit: () => {}, measure: () => {} },
    time: { now: () => 0, wait: async () => {} },
  } as unknown as OperateDeps;
  const event = { action: "revoke", everything: true };
  expect(await operate(deps, event, { actor: "operator", mayContinue: () => true })).toEqual({
    revoked: 0,
    quarantined: 1,
    unverified: 0,
    failed: [],
    kept: [{ leaseId: `orders/readonly/${username}`, state: "quarantined", blockers: [owned] }],
  });
});
