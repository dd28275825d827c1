import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InvalidRequestError, LeaseEndedError, NotAllowedError } from "../../core/errors.ts";
import type { Credential } from "../../core/leases/credential.ts";
import { leasesOf } from "../support/evidence.ts";
import { type Alias, type Issuer, issuer, logIn } from "../support/leases.ts";
import type { TestDatabase } from "../support/provisioned.ts";

const ALIAS = "user-service--readonly";

let lease: Issuer & { readonly test: TestDatabase };
let live: Credential;
beforeAll(async () => {
  lease = await issuer();
  live = await lease.issue();
});
afterAll(() => lease.close());

/** Ask, and expect an error that is one of ours, with nothing made or scheduled, and `sent` calls. */
async function refusalOf(event: unknown, alias: Alias = ALIAS, sent = 0): Promise<Error> {
  const trips = lease.roundTrips();
  const before = [await leasesOf(lease.test), lease.scheduler.creates(), lease.audit.length];
  const failure = await lease.ask(alias, event).then(
    () => new Error("it was not refused"),
    (error: unknown) => error as Error,
  );
  expect(lease.roundTrips() - trips).toBe(sent);
  expect([await leasesOf(lease.test), lease.scheduler.creates(), lease.audit.length]).toEqual(
    before,
  );
  expect(failure.message.length).toBeLessThan(500);
  return failure;
}

describe("a request that is refused before anything is sent", () => {
  const range =
    /is not a whole number of seconds from 10 to the role's maximum; leave it out for the role's/;
  const key = /is not 1 to 128 printable ASCII characters; use a name that is the same/;

  test.each<[unknown, string, RegExp]>([
    [0, "ttlSeconds 0 ", range],
    [-1, "ttlSeconds -1 ", range],
    [9, "ttlSeconds 9 ", range],
    ["1h", 'ttlSeconds "1h" ', range],
    ["60", 'ttlSeconds "60" ', range],
    [2 ** 31, "ttlSeconds 2147483648 ", range],
    [1e300, "ttlSeconds 1e+300 ", range],
    [60.5, "ttlSeconds 60.5 ", range],
    [null, "ttlSeconds null ", range],
    [true, "ttlSeconds true ", range],
    [[60], "ttlSeconds (a list) ", range],
    [{ valueOf: 60 }, "ttlSeconds (an object) ", range],
    ["60; drop role postgres", 'ttlSeconds "60; drop role postgres" ', range],
  ])("a TTL of %j, for issue and for renew", async (ttlSeconds, value, remedy) => {
    const { leaseId } = live;
    for (const event of [
      { action: "issue", ttlSeconds },
      { action: "renew", leaseId, ttlSeconds },
    ]) {
      const failure = await refusalOf(event);
      expect(failure).toBeInstanceOf(InvalidRequestError);
      expect(failure.message).toContain(value);
      expect(failure.message).toMatch(remedy);
    }
  });

  test.each<[unknown, RegExp]>([
    [-1, /minRemainingSeconds -1 is not a whole number of seconds from 0 to half of the role's/],
    [1.5, /minRemainingSeconds 1.5 is not a whole number/],
    [2 ** 31, /minRemainingSeconds 2147483648 is not a whole number/],
    ["10", /minRemainingSeconds "10" is not a whole number/],
    [null, /minRemainingSeconds null is not a whole number/],
  ])("a minimum that is to remain of %j, or any without a key", async (value, message) => {
    const keyed = { action: "issue", idempotencyKey: "k", minRemainingSeconds: value };
    const failure = await refusalOf(keyed);
    expect(failure).toBeInstanceOf(InvalidRequestError);
    expect(failure.message).toMatch(message);
    const keyless = await refusalOf({ action: "issue", minRemainingSeconds: 10 });
    expect(keyless).toBeInstanceOf(InvalidRequestError);
    expect(keyless.message).toMatch(/minRemainingSeconds needs an idempotencyKey/);
  });

  test.each<[string, unknown, string]>([
    ["of 0 characters", "", 'idempotencyKey "" '],
    ["of 129 characters", "k".repeat(129), "(129 characters)"],
    ["of 10,000 characters", "k".repeat(10_000), "(10000 characters)"],
    ["with a NUL", "a\0b", 'idempotencyKey "a\\u0000b" '],
    ["with a line end", "a\n", 'idempotencyKey "a\\n" '],
    ["with an umlaut", "ä", 'idempotencyKey "ä" '],
    ["that is a number", 5, "idempotencyKey 5 "],
    ["that is null", null, "idempotencyKey null "],
    ["that is a list", ["a"], "idempotencyKey (a list) "],
  ])("an idempotency key %s", async (_, idempotencyKey, value) => {
    const failure = await refusalOf({ action: "issue", idempotencyKey });
    expect(failure).toBeInstanceOf(InvalidRequestError);
    expect(failure.message).toContain(value);
    expect(failure.message).toMatch(key);
  });

  const functionUrl = {
    version: "2.0",
    routeKey: "$default",
    rawPath: "/",
    headers: { "content-type": "application/json" },
    requestContext: { http: { method: "POST" }, authorizer: { iam: { userArn: "arn:x" } } },
    body: '{"action":"issue"}',
    isBase64Encoded: false,
  };
  test.each<[string, unknown, RegExp]>([
    ["nothing", undefined, /the request undefined is not a JSON object; send \{"action":"issue"\}/],
    ["null", null, /the request null is not a JSON object/],
    ["a text", '{"action":"issue"}', /is not a JSON object/],
    ["a list", [{ action: "issue" }], /the request \(a list\) is not a JSON object/],
    ["no action", {}, /has no action; send .* one of issue, renew, revoke, lookup/],
    ["an unknown action", { action: "ISSUE" }, /action "ISSUE" is not one of/],
    ["an operator's action", { action: "sweep" }, /action "sweep" is not one of/],
    ["an inherited action", { action: "toString" }, /action "toString" is not one of/],
    ["an action in a list", { action: ["issue"] }, /action \(a list\) is not one of/],
    ["a misspelt field", { action: "issue", ttl: 60 }, /issue does not know "ttl"; its fields are/],
    ["another consumer", { action: "issue", consumer: "reporting" }, /does not know "consumer"/],
    ["another role", { action: "issue", role: "readwrite" }, /issue does not know "role"/],
    ["a function URL's event", functionUrl, /the request has no action/],
    [
      "a function URL's event with an action",
      { ...functionUrl, action: "issue" },
      /issue does not know "version", "routeKey", "rawPath", "headers", "requestContext";/,
    ],
    ["a schedule's input", { leaseId: "a/b/c", incarnation: "16384" }, /the request has no action/],
    [
      "a prototype",
      JSON.parse('{"action":"issue","__proto__":{"ttlSeconds":1}}'),
      /issue does not know "__proto__"/,
    ],
    ["renew without a lease", { action: "renew" }, /renew needs leaseId, the leaseId of an issued/],
    ["revoke without a lease", { action: "revoke" }, /revoke needs leaseId/],
    [
      "lookup of a key",
      { action: "lookup", idempotencyKey: "k" },
      /does not know "idempotencyKey"/,
    ],
  ])("%s", async (_, event, message) => {
    const failure = await refusalOf(event);
    expect(failure).toBeInstanceOf(InvalidRequestError);
    expect(failure.message).toMatch(message);
  });
});

describe("a request that only the database can refuse, which knows the role's maximum,", () => {
  test.each([86_401, 1e9, 2 ** 31 - 1])(
    "is one for a TTL of %j: nothing is made or moved",
    async (ttlSeconds) => {
      const { leaseId } = live;
      for (const [event, sent] of [
        [{ action: "issue", ttlSeconds }, 1],
        [{ action: "renew", leaseId, ttlSeconds }, 2],
      ] as const) {
        const failure = await refusalOf(event, ALIAS, sent);
        expect(failure).toBeInstanceOf(InvalidRequestError);
        expect(failure.message).toContain(
          `ttlSeconds ${ttlSeconds} is more than 86400, the maximum of role readonly`,
        );
      }
      const view = await lease.ask(ALIAS, { action: "lookup", leaseId });
      expect(view).toMatchObject({ expiresAt: live.expiresAt });
    },
  );

  test("is one for a replay that must last longer than half of it", async () => {
    const minRemainingSeconds = 43_201;
    const event = { action: "issue", idempotencyKey: "k", minRemainingSeconds };
    const failure = await refusalOf(event, ALIAS, 1);
    expect(failure).toBeInstanceOf(InvalidRequestError);
    expect(failure.message).toContain(
      "minRemainingSeconds 43201 is more than 43200, half of the maximum of role readonly",
    );
  });
});

const CHANGES = ["renew", "revoke", "lookup"] as const;

describe.each(CHANGES)("%s of a lease id", (action) => {
  const of = (change: (parts: { database: string; role: string; username: string }) => string) => {
    const [database = "", role = "", username = ""] = live.leaseId.split("/");
    return change({ database, role, username });
  };

  test.each<[string, () => unknown]>([
    ["with a quote", () => `${live.leaseId}'`],
    ["with a double quote", () => live.leaseId.replace("_user", '"_user')],
    ["with a semicolon", () => `${live.leaseId}; drop role postgres`],
    ["with a NUL", () => `${live.leaseId}\0`],
    ["with a line end", () => `${live.leaseId}\n`],
    ["of 10 kB", () => `orders/readonly/${"a".repeat(10_000)}`],
    ["in capitals", () => live.leaseId.toUpperCase()],
    ["with a path in it", () => live.leaseId.replace("orders/", "orders/../")],
    ["with one part too many", () => `${live.leaseId}/x`],
    ["of the username alone", () => live.username],
    ["of a group role", () => `orders/readonly/mf_${lease.test.tag}_group_readonly`],
    ["of an issuer role", () => `orders/readonly/mf_${lease.test.tag}_issuer_aa`],
    ["of the master", () => "orders/readonly/mayfly_master"],
    [
      "whose role is not its username's",
      () => of(({ username }) => `orders/readwrite/${username}`),
    ],
    ["that is empty", () => ""],
    ["that is a number", () => 7],
    ["that is null", () => null],
    ["that is a list", () => [live.leaseId]],
    ["that is an object", () => ({ leaseId: live.leaseId })],
  ])("%s is refused as none, and nothing is sent", async (_, leaseId) => {
    const failure = await refusalOf({ action, leaseId: leaseId() });
    expect(failure).toBeInstanceOf(InvalidRequestError);
    expect(failure.message).toMatch(/^leaseId .* is not a lease id/s);
  });

  test.each<[string, () => string, Alias]>([
    ["of another consumer", () => live.leaseId, "reporting--readonly"],
    ["of another dynamic role", () => live.leaseId, "user-service--readwrite"],
    ["of another database", () => live.leaseId.replace("orders/", "billing/"), ALIAS],
    ["of another stack", () => live.leaseId.replace(`mf_${lease.test.tag}`, "mf_zzzz"), ALIAS],
  ])("%s is not allowed, and nothing is sent", async (_, leaseId, alias) => {
    const failure = await refusalOf({ action, leaseId: leaseId() }, alias);
    expect(failure).toBeInstanceOf(NotAllowedError);
    expect(failure.message).toMatch(/^lease ".*" was not issued to .* for .*; use the alias/);
  });
});

test("a lease id that was made up is not found, or gone, and nothing is made or changed", async () => {
  const leaseId = `orders/readonly/mf_${lease.test.tag}_readonly_user-service_0000000077aaaaaaaaaaaa`;
  const before = [await leasesOf(lease.test), lease.scheduler.creates()];
  for (const action of ["renew", "lookup"]) {
    const failure = lease.ask(ALIAS, { action, leaseId });
    await expect(failure).rejects.toBeInstanceOf(LeaseEndedError);
    await expect(failure).rejects.toThrow(/request a new credential instead$/);
  }
  expect(await lease.ask(ALIAS, { action: "revoke", leaseId })).toMatchObject({ state: "gone" });
  expect([await leasesOf(lease.test), lease.scheduler.creates()]).toEqual(before);
});

test("after all that, the one lease that was issued still logs in", async () => {
  await (await logIn(lease.test, live)).end();
  expect(await leasesOf(lease.test)).toEqual([live.username]);
});
