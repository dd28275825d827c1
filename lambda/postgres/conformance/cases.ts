import assert from "node:assert/strict";
import type { LeaseRef } from "../../../core/leases/lease.ts";
import { formatLeaseName } from "../../../core/leases/lease-name.ts";
import type { Engine, IssuedLogin, IssueOutcome } from "../../../core/leases/lease-ports.ts";
import { Secret } from "../../../core/secret.ts";
import { type ConformanceCase, refOf, type UnderTest } from "./under-test.ts";

const PASSWORD = new Secret("a-password-of-many-characters");

const issue = (
  engine: Engine,
  test: UnderTest,
  {
    key,
    name = test.nameOf(key),
  }: { readonly key?: string; readonly name?: ReturnType<UnderTest["nameOf"]> } = {},
): Promise<IssueOutcome> =>
  engine.issue({
    name,
    password: PASSWORD,
    replay: key !== undefined,
    ...(key !== undefined && { pepper: test.pepper }),
  });

function made(outcome: IssueOutcome): IssuedLogin {
  assert.ok(outcome.kind === "issued" || outcome.kind === "replayed", `it was ${outcome.kind}`);
  return outcome;
}

async function lease(test: UnderTest, engine: Engine = test.engines[0]): Promise<LeaseRef> {
  const name = test.nameOf();
  return refOf(name, made(await issue(engine, test, { name })));
}

const latch = (engine: Engine, refs: readonly LeaseRef[], onlyIfDue = false) =>
  engine.latch(refs, { onlyIfDue });

/** Latch and drop, for cases that are not about revocation. */
async function revoke(engine: Engine, ref: LeaseRef): Promise<void> {
  await latch(engine, [ref]);
  for (let round = 0; round < 10; round++) {
    const [seen] = await engine.endSessions([ref]);
    if (seen?.ended === 0 && seen.remaining === 0) break;
  }
  await engine.drop([ref]);
}

/** The same engine, but it dies before or after call number `at`. */
function dyingAt(
  engine: Engine,
  at: number,
  side: "before" | "after",
): { engine: Engine; calls(): number } {
  let calls = 0;
  const wrapped = new Proxy(engine, {
    get: (target, name) => {
      const call: unknown = Reflect.get(target, name);
      if (typeof call !== "function") return call;
      return async (...given: unknown[]): Promise<unknown> => {
        calls += 1;
        if (calls > at || (calls === at && side === "before")) throw new Error("it has died");
        const answer: unknown = await call(...given);
        if (calls === at) throw new Error("it has died");
        return answer;
      };
    },
  });
  return { engine: wrapped, calls: () => calls };
}

/** The cases that every lease engine must pass, tested through its port and by logging in. */
export const CASES: readonly ConformanceCase[] = [
  {
    title:
      "an issued login logs in, and a repeated issue with the same name returns the same login",
    run: async (test) => {
      const name = test.nameOf();
      const [engine, other] = [test.engines[0], test.engines[1] ?? test.engines[0]];
      const first = made(await issue(engine, test, { name }));
      assert.equal(first.username, formatLeaseName(name));
      assert.ok(first.issuedAt < first.expiresAt && first.expiresAt <= first.maxExpiresAt);
      assert.deepEqual(made(await issue(other, test, { name })), first);
      const session = await test.logIn(first.username, PASSWORD);
      assert.ok(session, "it does not log in");
      await session.end();
      await revoke(engine, refOf(name, first));
    },
  },
  {
    title: "a key finds its lease again, and gets a new lease if that one is latched",
    run: async (test) => {
      const [engine] = test.engines;
      const name = test.nameOf("found");
      const first = made(await issue(engine, test, { key: "found", name }));
      const again = made(await issue(engine, test, { key: "found" }));
      assert.equal(again.kind, "replayed");
      assert.equal(again.username, first.username);
      assert.equal(again.pepper, test.pepper);
      await latch(engine, [refOf(name, first)]);
      const nextName = test.nameOf("found");
      const next = made(await issue(engine, test, { key: "found", name: nextName }));
      assert.equal(next.kind, "issued");
      assert.notEqual(next.username, first.username);
      for (const ref of [refOf(name, first), refOf(nextName, next)]) await revoke(engine, ref);
    },
  },
  {
    title: "many concurrent callers with one key get one login",
    run: async (test) => {
      const outcomes = await Promise.all(
        test.engines.map(async (engine) => made(await issue(engine, test, { key: "once" }))),
      );
      assert.equal(new Set(outcomes.map(({ username }) => username)).size, 1);
      assert.equal(outcomes.filter(({ kind }) => kind === "issued").length, 1);
      const { role } = await test.engines[0].look(outcomes[0]?.username ?? "");
      assert.ok(role?.kind === "lease");
      await revoke(test.engines[0], role.lease);
    },
  },
  {
    title:
      "concurrent callers get as many leases as the limit allows, and a revoked lease makes room",
    run: async (test) => {
      const callers = test.limit * 3;
      const names = Array.from({ length: callers }, () => test.nameOf());
      const outcomes = await Promise.all(
        names.map((name, i) =>
          issue(test.engines[i % test.engines.length] ?? test.engines[0], test, { name }),
        ),
      );
      const refs = outcomes.flatMap((outcome, i) => {
        const name = names[i];
        return name && outcome.kind === "issued" ? [refOf(name, outcome)] : [];
      });
      assert.equal(refs.length, test.limit);
      for (const outcome of outcomes)
        if (outcome.kind !== "issued") assert.equal(outcome.kind, "limit");
      const [first, ...rest] = refs;
      assert.ok(first);
      await revoke(test.engines[0], first);
      const next = await lease(test);
      assert.equal((await issue(test.engines[0], test)).kind, "limit");
      for (const ref of [next, ...rest]) await revoke(test.engines[0], ref);
    },
  },
  {
    title: "a renewal moves the expiry, up to the maximum, but not that of an ended lease",
    run: async (test) => {
      const [engine] = test.engines;
      const ref = await lease(test);
      const renewed = await engine.renew(ref, 7_200);
      assert.ok(renewed.kind === "extended");
      const most = await engine.renew(ref, 86_400);
      assert.ok(most.kind === "extended" && most.expiresAt === most.maxExpiresAt);
      assert.equal((await engine.renew(ref, 86_401)).kind, "ttl");
      assert.equal((await engine.renew({ ...ref, incarnation: "4294967" })).kind, "not found");
      await test.expire(ref.username);
      assert.equal((await engine.renew(ref)).kind, "expired");
      await latch(engine, [ref]);
      assert.equal((await engine.renew(ref)).kind, "revoked");
      await revoke(engine, ref);
      assert.equal((await engine.renew(ref)).kind, "not found");
    },
  },
  {
    title: "a concurrent renewal and latch leave the lease live or latched, not both",
    run: async (test) => {
      const [engine, other] = [test.engines[0], test.engines[1] ?? test.engines[0]];
      for (let round = 0; round < 5; round++) {
        const ref = await lease(test);
        const [, latched] = await Promise.all([
          engine.renew(ref, 7_200),
          latch(other, [ref], true),
        ]);
        assert.equal(latched[0]?.kind, "not due");
        const [, forced] = await Promise.all([engine.renew(ref, 7_200), latch(other, [ref])]);
        assert.equal(forced[0]?.kind, "latched");
        assert.equal(await test.logIn(ref.username, PASSWORD), undefined);
        await revoke(engine, ref);
      }
    },
  },
  {
    title:
      "a latch stops logins for good, is repeatable, and changes no lease that is not due or not meant",
    run: async (test) => {
      const [engine] = test.engines;
      const [due, live, gone] = [await lease(test), await lease(test), await lease(test)];
      await revoke(engine, gone);
      await test.expire(due.username);
      const outcomes = await latch(
        engine,
        [due, live, gone, { ...live, incarnation: "4294967" }],
        true,
      );
      assert.deepEqual(
        outcomes.map(({ kind }) => kind),
        ["latched", "not due", "gone", "other"],
      );
      const again = await latch(engine, [due], true);
      assert.ok(outcomes[0]?.kind === "latched" && outcomes[0].wasOpen);
      assert.ok(again[0]?.kind === "latched" && !again[0].wasOpen);
      assert.equal(again[0].latchedAt, outcomes[0].latchedAt);
      assert.equal(await test.logIn(due.username, PASSWORD), undefined);
      const session = await test.logIn(live.username, PASSWORD);
      assert.ok(session);
      await session.end();
      for (const ref of [due, live]) await revoke(engine, ref);
    },
  },
  {
    title: "sessions are ended and counted by incarnation, and a dropped lease has none left",
    run: async (test) => {
      const [engine] = test.engines;
      const [ref, other] = [await lease(test), await lease(test)];
      const sessions = [
        await test.logIn(ref.username, PASSWORD),
        await test.logIn(ref.username, PASSWORD),
      ];
      const bystander = await test.logIn(other.username, PASSWORD);
      assert.ok(bystander);
      assert.equal((await engine.look(ref.username)).sessions, 2);
      await latch(engine, [ref]);
      const seen = await engine.endSessions(
        [other, ref].map((each) => (each === other ? { ...each, incarnation: "4294967" } : each)),
      );
      assert.deepEqual(
        seen.map(({ ended, remaining }) => [ended, remaining]),
        [
          [0, 0],
          [2, 0],
        ],
      );
      for (const session of sessions) assert.equal(await session?.isAlive(), false);
      assert.equal(await bystander.isAlive(), true);
      await bystander.end();
      assert.deepEqual(
        (await engine.drop([ref])).map(({ kind }) => kind),
        ["dropped"],
      );
      assert.equal((await engine.look(ref.username)).role, undefined);
      await revoke(engine, other);
    },
  },
  {
    title: "a role that can log in is never dropped, and a kept role says what keeps it",
    run: async (test) => {
      const [engine] = test.engines;
      const [live, kept, gone] = [await lease(test), await lease(test), await lease(test)];
      await test.litter(kept.username);
      await latch(engine, [kept]);
      await revoke(engine, gone);
      const [first, second, third] = await engine.drop([live, kept, gone]);
      assert.equal(first?.kind, "failed");
      assert.ok(second?.kind === "blocked" && second.blockers.length > 0);
      assert.equal(third?.kind, "gone");
      const session = await test.logIn(live.username, PASSWORD);
      assert.ok(session);
      await session.end();
      await test.clear(kept.username);
      assert.equal((await engine.drop([kept]))[0]?.kind, "dropped");
      await revoke(engine, live);
    },
  },
  {
    title: "the next revocation finishes one that died before or after any call",
    run: async (test) => {
      for (const side of ["before", "after"] as const)
        for (let at = 1; at <= 3; at++) {
          const ref = await lease(test);
          const session = await test.logIn(ref.username, PASSWORD);
          const dying = dyingAt(test.engines[0], at, side);
          await assert.rejects(revoke(dying.engine, ref), /died/);
          await revoke(test.engines[1] ?? test.engines[0], ref);
          assert.equal((await test.engines[0].look(ref.username)).role, undefined);
          assert.equal(await session?.isAlive(), false);
        }
    },
  },
  {
    title: "an issue whose answer is lost is found by its name and in the list",
    run: async (test) => {
      const name = test.nameOf();
      const dying = dyingAt(test.engines[0], 1, "after");
      await assert.rejects(issue(dying.engine, test, { name }), /died/);
      const found = made(await issue(test.engines[0], test, { name }));
      const names: string[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const page = await test.engines[0].list(after, 2);
        names.push(
          ...page.roles.map((role) =>
            role.kind === "lease" ? role.lease.username : role.username,
          ),
        );
        after = page.next;
      }
      assert.ok(names.includes(found.username));
      assert.deepEqual(names, names.toSorted());
      assert.equal(new Set(names).size, names.length);
      await revoke(test.engines[0], refOf(name, found));
    },
  },
  {
    title:
      "a latched lease records a reader that could not be checked, until the record is cleared",
    run: async (test) => {
      const [engine] = test.engines;
      const ref = await lease(test);
      const [outcome] = await latch(engine, [ref]);
      assert.ok(outcome?.kind === "latched");
      await engine.markUnverified(ref, outcome.at);
      assert.equal((await latch(engine, [ref]))[0]?.kind, "latched");
      const marked = (await latch(engine, [ref]))[0];
      assert.ok(marked?.kind === "latched" && marked.unverifiedAt === outcome.at);
      await engine.markUnverified(ref, undefined);
      const cleared = (await latch(engine, [ref]))[0];
      assert.ok(cleared?.kind === "latched" && cleared.unverifiedAt === undefined);
      await revoke(engine, ref);
    },
  },
  {
    title:
      "a latched lease without sessions is lent to the janitor, and the next revocation takes it back",
    run: async (test) => {
      const [engine, other] = [test.engines[0], test.engines[1] ?? test.engines[0]];
      const ref = await lease(test);
      const kinds = async (way: "lend" | "take back") =>
        (await engine.lend([ref], way)).map(({ kind }) => kind);
      assert.deepEqual(await kinds("lend"), ["in use"]);
      const session = await test.logIn(ref.username, PASSWORD);
      await latch(engine, [ref]);
      assert.deepEqual(await kinds("lend"), ["in use"]);
      await engine.endSessions([ref]);
      assert.equal(await session?.isAlive(), false);
      assert.deepEqual(await kinds("lend"), ["lent"]);
      assert.equal(await test.isLent(ref.username), true);
      assert.deepEqual(await kinds("take back"), ["taken back"]);
      assert.equal(await test.isLent(ref.username), false);
      // the lender has died: the next revocation begins with a latch, which takes the lease back
      assert.deepEqual(await kinds("lend"), ["lent"]);
      await latch(other, [ref], true);
      assert.equal(await test.isLent(ref.username), false);
      await revoke(other, ref);
      assert.deepEqual(await kinds("lend"), ["gone"]);
    },
  },
];
