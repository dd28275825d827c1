import { expect, test } from "vitest";
import type { AuditEvent } from "../../core/audit.ts";
import { DatabaseUnavailableError } from "../../core/errors.ts";
import type { Lease } from "../../core/leases/lease.ts";
import { parseLeaseName } from "../../core/leases/lease-name.ts";
import type { Engine, LeaseDeps } from "../../core/leases/lease-ports.ts";
import { revokeDue } from "../../core/leases/revocation/revoke-due.ts";
import type { Instant } from "../../core/time.ts";

const NOW = 1_000 as Instant;

/** The lease of a number, whose names are in the order of the numbers. */
function lease(number: number, state: Partial<Lease> = {}): Lease {
  const random = Array.from(
    String(number).padStart(12, "0"),
    (digit) => "abcdefghij"[Number(digit)],
  );
  const username = `mf_abcd_readonly_user-service_00000000aa${random.join("")}`;
  const name = parseLeaseName(username);
  if (name === undefined) throw new Error(`${username} is not the name of a lease`);
  return { name, username, incarnation: "16500", canLogin: true, expiresAt: NOW, ...state };
}

const inputOf = ({ username, incarnation }: Lease) => ({
  leaseId: `orders/readonly/${username}`,
  incarnation,
});

/** A database with these leases. Keeps what each call of `latch` was for, and how often it was listed. */
function world(all: readonly Lease[], broken: Partial<Engine> = {}) {
  const roles = new Map(all.map((each) => [each.username, each]));
  const latched: (readonly string[])[] = [];
  const lists: string[] = [];
  const audit: AuditEvent[] = [];
  const engine: Partial<Engine> = {
    findStrays: async () => [],
    list: async (after, limit) => {
      lists.push(after);
      const page = [...roles.values()].filter(({ username }) => username > after).slice(0, limit);
      const next = page.length === limit ? page.at(-1)?.username : undefined;
      const found = page.map((each) => ({ kind: "lease", lease: each }) as const);
      return { roles: found, now: NOW, ...(next !== undefined && { next }) };
    },
    latch: async (leases) => {
      latched.push(leases.map(({ username }) => username));
      return leases.map(({ username }) =>
        roles.has(username)
          ? { kind: "latched", at: NOW, wasOpen: true, ended: 0, memberships: [] }
          : { kind: "gone" },
      );
    },
    endSessions: async (of) => of.map(() => ({ server: "writer:5432", ended: 0, remaining: 0 })),
    drop: async (leases) =>
      leases.map(({ username }) => {
        roles.delete(username);
        return { kind: "dropped", at: NOW };
      }),
    ...broken,
  };
  const deps = {
    database: "orders",
    tag: "abcd",
    engine,
    readers: { list: async () => [] },
    scheduler: { create: async () => "made" },
    telemetry: { audit: (event: AuditEvent) => audit.push(event), measure: () => {} },
    time: { now: () => NOW, wait: async () => {} },
  } as unknown as LeaseDeps;
  return { deps, latched, lists, audit, left: () => [...roles.keys()] };
}

const many = (count: number): readonly Lease[] => Array.from({ length: count }, (_, i) => lease(i));

test("if more messages wait, other due leases are revoked too, starting after the batch's lease", async () => {
  const all = many(250);
  const { deps, latched, left } = world(all);
  const outcomes = await revokeDue(deps, all.slice(120, 130).map(inputOf), { moreWait: true });
  expect(outcomes).toHaveLength(10);
  expect(left()).toEqual([]);
  expect(latched.map(({ length }) => length)).toEqual([10, 100, 120, 20]);
  expect(latched[1]?.[0]).toBe(all[130]?.username);
});

test("of the other leases only due ones that can log in are revoked", async () => {
  const later = { expiresAt: (NOW + 1) as Instant };
  const all = Array.from({ length: 400 }, (_, i) =>
    lease(i, i % 4 === 1 ? later : i % 4 === 2 ? { canLogin: false } : {}),
  );
  const { deps, latched, left } = world(all);
  await revokeDue(deps, [inputOf(all[0] as Lease)], { moreWait: true });
  expect(left()).toEqual(all.filter((_, i) => [1, 2].includes(i % 4)).map((each) => each.username));
  expect(latched.flat()).toHaveLength(200);
  // together, though no page of the list had so many
  expect(latched.map(({ length }) => length)).toEqual([1, 100, 99]);
});

test("one call takes some hundreds and leaves the rest to the next", async () => {
  const all = many(2_000);
  const { deps, left } = world(all);
  await revokeDue(deps, [inputOf(all[0] as Lease)], { moreWait: true });
  expect(left()).toHaveLength(2_000 - 1 - 500);
});

test("other due leases are not revoked if no message waits, none of the batch was due, or time is short", async () => {
  const all = many(30);
  const [first] = all as [Lease];
  const alone = world(all);
  await revokeDue(alone.deps, [inputOf(first)]);
  expect(alone.lists).toEqual([]);
  const afterwards = world(all.slice(1));
  await revokeDue(afterwards.deps, [inputOf(first)], { moreWait: true });
  expect(afterwards.lists).toEqual([]);
  const late = world(all);
  let left = 1;
  await revokeDue(late.deps, [inputOf(first)], { moreWait: true, mayContinue: () => left-- > 0 });
  expect(late.left()).toHaveLength(29);
});

test("a failure of another due lease is logged and fails no message", async () => {
  const all = many(30);
  const away = new DatabaseUnavailableError("it is away; wait and retry");
  const { deps, audit } = world(all, { list: () => Promise.reject(away) });
  const [outcome] = await revokeDue(deps, [inputOf(all[0] as Lease)], { moreWait: true });
  expect(outcome?.revocations).toEqual([
    expect.objectContaining({ receipt: expect.objectContaining({ state: "revoked" }) }),
  ]);
  expect(audit).toContainEqual({
    event: "request.failed",
    actor: "schedule",
    errorType: "DatabaseUnavailableError",
    reason: away.message,
  });
});

test("a renewed lease whose schedule finds every name taken is a failure that may pass", async () => {
  const renewed = lease(0, { expiresAt: (NOW + 30_000) as Instant });
  const { deps, left } = world([renewed], {
    latch: async () => [{ kind: "not due", at: NOW, expiresAt: renewed.expiresAt }],
  });
  const names: string[] = [];
  const create = async (name: string) => {
    names.push(name);
    return "exists" as const;
  };
  const scheduler = { ...deps.scheduler, create };
  const [outcome] = await revokeDue({ ...deps, scheduler }, [inputOf(renewed)]);
  expect(outcome?.revocations).toMatchObject([
    {
      error: {
        name: "SchedulerUnavailableError",
        retryable: true,
        message: expect.stringContaining("every name for its schedule is taken; the sweep"),
      },
    },
  ]);
  expect(names).toHaveLength(3);
  expect(left()).toEqual([renewed.username]);
});
