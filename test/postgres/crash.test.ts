import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Credential } from "../../core/leases/credential.ts";
import { parseLeaseId } from "../../core/leases/lease-id.ts";
import { sweep } from "../../core/leases/operation/sweep.ts";
import { issueLease } from "../../core/leases/requests/issue.ts";
import { renewLease } from "../../core/leases/requests/renew.ts";
import { revokeLease } from "../../core/leases/revocation/revoke.ts";
import { Crash, type Fault, failingAt, type Side } from "../faults/points.ts";
import { crashAndRestart, type OwnServer, startCluster } from "../support/cluster.ts";
import {
  backdate,
  firstRow,
  LATCHED,
  leasesOf,
  leftOf,
  NOTHING,
  oidOf,
} from "../support/evidence.ts";
import {
  type Issuer,
  issuerOn,
  logIn,
  loginRefusal,
  revokeLife,
  sharedIssuer,
} from "../support/leases.ts";
import { provisioned, runAs, type TestDatabase } from "../support/provisioned.ts";

const emptied = sharedIssuer();
/** `npm run test:crash` fails at every call of a longer operation, `npm test` at every second. */
const EVERY = process.env.MAYFLY_CRASH_TABLE === "1" ? 1 : 2;
const sweeping = { actor: "sweep", mayContinue: () => true };

/** Crash at `every` so many calls of one operation, until it gets through. @returns its calls. */
async function crashEverywhere(
  operation: (crashing: ReturnType<typeof failingAt>["deps"], at: number) => Promise<void>,
  deps: Issuer["deps"],
  side: Side,
  every = 1,
): Promise<number> {
  for (let at = 1; at < 40; at += every) {
    const { deps: crashing, calls } = failingAt(deps, at, side);
    await operation(crashing, at).catch((error: unknown) => {
      if (!(error instanceof Crash)) throw error;
    });
    if (calls.length < at) return calls.length;
  }
  throw new Error("the operation never got through");
}

describe.each<Side>(["before", "after"])("a revocation that crashes %s any one call", (side) => {
  test("is finished by the next sweep, with nothing left over", async () => {
    const instance = await emptied();
    const { test: database } = instance;
    const crashes = await crashEverywhere(
      async (crashing) => {
        const credential = await instance.issue();
        const oid = await oidOf(database, credential.username);
        const session = await logIn(database, credential);
        // so that the lease is lent to the janitor as well
        await session.query("select lo_create(0)");
        await backdate(database, credential.username);
        const scheduled = { leaseId: credential.leaseId, incarnation: oid };
        const options = { onlyIfDue: true, actor: "schedule" };
        const [first] = await Promise.allSettled([revokeLife(crashing, scheduled, options)]);
        await sweep(instance.deps, sweeping);
        expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
        await session.end().catch(() => {});
        if (first.status === "rejected") throw first.reason;
      },
      instance.deps,
      side,
      EVERY,
    );
    expect(crashes).toBeGreaterThanOrEqual(9);
    await sweep(instance.deps, sweeping);
    expect(await leasesOf(database)).toEqual([]);
    const names = await instance.scheduler.names();
    expect(names.filter((name) => !name.endsWith("-recheck"))).toEqual([]);
    await instance.close();
  });
});

test("an issue that crashes after any one call leaves a lease with an end, and the sweep schedules it", async () => {
  const instance = await emptied();
  for (const side of ["before", "after"] as const) {
    await crashEverywhere(
      async (crashing) => {
        const grant = { consumer: "user-service", role: "readonly" };
        await issueLease({ ...instance.deps, ...crashing }, grant, {
          action: "issue",
          ttlSeconds: 60,
        });
      },
      instance.deps,
      side,
    );
  }
  const made = await leasesOf(instance.test);
  expect(made.length).toBeGreaterThan(2);
  const report = await sweep(instance.deps, sweeping);
  expect(report).toMatchObject({ live: made.length, left: 0, foreign: [] });
  const scheduled = [...instance.scheduler.schedules.values()].map((input) =>
    "leaseId" in input ? input.leaseId : input,
  );
  expect(new Set(scheduled)).toEqual(new Set(made.map((name) => `orders/readonly/${name}`)));
  for (const name of made) await backdate(instance.test, name);
  expect(await sweep(instance.deps, sweeping)).toMatchObject({ revoked: made.length, live: 0 });
  expect(await leasesOf(instance.test)).toEqual([]);
  await instance.close();
});

describe.each<Exclude<Fault, Side>>(["repeat", "fail", "delay"])(
  "a lease whose life meets a %s at any one effect",
  (fault) => {
    test("ends as any other, at the latest with the next sweep", async () => {
      const instance = await emptied();
      const { test: database } = instance;
      const alias = "user-service--readonly";
      const key = { action: "issue", idempotencyKey: "life" } as const;
      const grant = { consumer: "user-service", role: "readonly" };
      const names = new Set<string>();
      for (let at = 1; at < 40; at += EVERY) {
        const { deps: faulty, calls } = failingAt(instance.deps, at, fault, () =>
          sweep(instance.deps, sweeping),
        );
        const deps = { ...instance.deps, ...faulty };
        const life = async (): Promise<void> => {
          const { leaseId, username, password } = await issueLease(deps, grant, key);
          await runAs(database.as(username, password), "select lo_create(0)");
          await renewLease(deps, grant, parseLeaseId(leaseId), 7_200);
          await revokeLease(deps, parseLeaseId(leaseId), { onlyIfDue: false, actor: "life" });
        };
        await life().catch((error: unknown) => {
          if (!(error instanceof Crash)) throw error;
        });
        for (const call of calls) names.add(call);
        // whatever is left answers to its key, and is revoked as ever
        const { leaseId, username } = (await instance.issue(alias, {
          idempotencyKey: "life",
        })) as Credential;
        await instance.ask(alias, { action: "revoke", leaseId });
        expect(await leasesOf(database)).not.toContain(username);
        if (calls.length < at) break;
      }
      expect(names).toEqual(
        new Set([
          ...["issue", "look", "renew", "latch", "endSessions", "drop", "lend", "findStrays"].map(
            (each) => `engine.${each}`,
          ),
          "janitor.clear",
          "scheduler.create",
        ]),
      );
      await sweep(instance.deps, sweeping);
      expect(await leasesOf(database)).toEqual([]);
      await instance.close();
    });
  },
);

describe("a server of its own", () => {
  let own: OwnServer;
  let database: TestDatabase;
  beforeAll(async () => {
    own = await startCluster(["max_prepared_transactions=5", "synchronous_commit=on"]);
    database = await provisioned({ cluster: own.cluster });
  });
  afterAll(() => own.server.stop());

  test("that crashes between any two steps of a revocation loses none of it", async () => {
    const instance = issuerOn(database);
    for (let at = 1; at <= 7; at++) {
      const credential = await instance.issue();
      const oid = await oidOf(database, credential.username);
      await logIn(database, credential);
      const { deps } = failingAt(instance.deps, at, "after");
      const id = parseLeaseId(credential.leaseId);
      const options = { onlyIfDue: false, actor: "user-service" };
      const latched = await revokeLease(deps, id, options).then(
        () => true,
        () => at >= 2,
      );
      await crashAndRestart(own);
      expect(await loginRefusal(database, credential)).toBe(latched ? "28P01" : undefined);
      if (!latched) await backdate(database, credential.username);
      await sweep(instance.deps, sweeping);
      const scheduled = { leaseId: credential.leaseId, incarnation: oid };
      await revokeLife(instance.deps, scheduled, options);
      expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
    }
    await instance.close();
  });

  test("that crashes after an issue still has the lease, its record, and its end", async () => {
    const instance = issuerOn(database);
    const credential = await instance.issue();
    await crashAndRestart(own);
    await (await logIn(database, credential)).end();
    const view = await instance.ask("user-service--readonly", {
      action: "lookup",
      leaseId: credential.leaseId,
    });
    expect(view).toMatchObject({ state: "live", expiresAt: credential.expiresAt });
    await instance.close();
  });

  test.each([
    ["writes", "update public.orders set customer = customer"],
    ["makes", "create table public.mine (id int)"],
  ])(
    "names (C24) a prepared transaction that %s something, which would outlive the lease with its locks, until it is ended",
    async (name, statement) => {
      const instance = issuerOn(database);
      await firstRow(
        database,
        `grant create on schema public to mf_${database.tag}_group_readwrite`,
      );
      const credential = await instance.issue("user-service--readwrite");
      const { username, leaseId } = credential;
      const oid = await oidOf(database, username);
      const client = await logIn(database, credential);
      await client.query(`begin; ${statement}; prepare transaction '${name}'`);
      const receipt = await instance.ask("user-service--readwrite", { action: "revoke", leaseId });
      expect(receipt).toMatchObject({
        state: "quarantined",
        servers: [{ sessionsEnded: 1 }],
        blockers: [
          {
            database: database.database,
            catalog: "pg_prepared_xacts",
            kind: "prepared",
            count: 1,
          },
        ],
      });
      expect(await leftOf(database, credential, oid)).toEqual(LATCHED);
      await runAs(database.superuser(), `rollback prepared '${name}'`);
      expect(await sweep(instance.deps, sweeping)).toMatchObject({ revoked: 1 });
      expect(await leftOf(database, credential, oid)).toEqual(NOTHING);
      await instance.close();
    },
  );
});
