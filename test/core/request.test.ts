import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidRequestError } from "../../core/errors.ts";
import { MIN_TTL_SECONDS, parseRequest } from "../../core/leases/requests/lease-request.ts";

/** What fits the database's own whole numbers; the role's maximum is the database's to know. */
const MOST = 2 ** 31 - 1;
const isWhole = (value: unknown, least: number): boolean =>
  Number.isInteger(value) && Number(value) >= least && Number(value) <= MOST;

const wrongNumbers = fc.oneof(fc.integer(), fc.integer({ min: MOST }), fc.double(), fc.anything());

describe("a consumer's request", () => {
  test.each<[object, object]>([
    [{ action: "issue" }, { action: "issue" }],
    [
      { action: "issue", ttlSeconds: 10 },
      { action: "issue", ttlSeconds: 10 },
    ],
    [
      { action: "issue", ttlSeconds: 3_600 },
      { action: "issue", ttlSeconds: 3_600 },
    ],
    [
      { action: "issue", idempotencyKey: "~ pod 1 ~" },
      { action: "issue", idempotencyKey: "~ pod 1 ~" },
    ],
    [
      { action: "issue", idempotencyKey: "pod", minRemainingSeconds: 0 },
      { action: "issue", idempotencyKey: "pod", minRemainingSeconds: 0 },
    ],
    [
      { action: "renew", leaseId: "x" },
      { action: "renew", leaseId: "x" },
    ],
    [
      { action: "renew", leaseId: "x", ttlSeconds: 60 },
      { action: "renew", leaseId: "x", ttlSeconds: 60 },
    ],
    [
      { action: "revoke", leaseId: 5 },
      { action: "revoke", leaseId: 5 },
    ],
    [
      { action: "lookup", leaseId: null },
      { action: "lookup", leaseId: null },
    ],
  ])("%j is understood", (event, request) => {
    expect(parseRequest(event)).toEqual(request);
  });

  test("accepts every whole TTL from 10 on: the database knows the maximum", () => {
    fc.assert(
      fc.property(fc.integer({ min: MIN_TTL_SECONDS, max: MOST }), (ttlSeconds) => {
        for (const event of [
          { action: "issue", ttlSeconds },
          { action: "renew", leaseId: "x", ttlSeconds },
        ])
          expect(parseRequest(event)).toEqual(event);
      }),
    );
  });

  test("with any other TTL is refused, and the error names ttlSeconds", () => {
    fc.assert(
      fc.property(wrongNumbers, (ttlSeconds) => {
        fc.pre(ttlSeconds !== undefined && !isWhole(ttlSeconds, MIN_TTL_SECONDS));
        expect(() => parseRequest({ action: "issue", ttlSeconds })).toThrow(
          /^ttlSeconds .* is not a whole number .* from 10 to the role's maximum/s,
        );
      }),
    );
  });

  test("with a key accepts minRemainingSeconds in whole seconds from 0", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MOST }), (minRemainingSeconds) => {
        const event = { action: "issue", idempotencyKey: "pod", minRemainingSeconds };
        expect(parseRequest(event)).toEqual(event);
      }),
    );
    fc.assert(
      fc.property(wrongNumbers, (minRemainingSeconds) => {
        fc.pre(minRemainingSeconds !== undefined && !isWhole(minRemainingSeconds, 0));
        const event = { action: "issue", idempotencyKey: "pod", minRemainingSeconds };
        expect(() => parseRequest(event)).toThrow(
          /^minRemainingSeconds .* is not a whole number .* from 0 to half of the role's maximum/s,
        );
      }),
    );
  });

  test("with minRemainingSeconds but no key is refused", () => {
    fc.assert(
      fc.property(fc.anything(), (minRemainingSeconds) => {
        fc.pre(minRemainingSeconds !== undefined);
        expect(() => parseRequest({ action: "issue", minRemainingSeconds })).toThrow(
          /send both, or neither$/,
        );
      }),
    );
  });

  test.each(["renew", "revoke", "lookup"])("to %s cannot say so either", (action) => {
    const event = { action, leaseId: "x", minRemainingSeconds: 10 };
    expect(() => parseRequest(event)).toThrow(`${action} does not know "minRemainingSeconds"`);
  });

  test("of any other shape is refused with an InvalidRequestError", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, maxDepth: 3 }), (event) => {
        expect(() => parseRequest(event)).toThrow(InvalidRequestError);
      }),
    );
  });

  test.each<[unknown, string]>([
    [undefined, 'the request undefined is not a JSON object; send {"action":"issue"}, for example'],
    [{}, 'the request has no action; send {"action": …} with one of issue, renew, revoke, lookup'],
    [{ action: "grant" }, 'action "grant" is not one of issue, renew, revoke, lookup'],
    [{ action: "revoke", ttl: 60 }, 'revoke does not know "ttl"; its fields are leaseId'],
    [{ action: "renew" }, "renew needs leaseId, the leaseId of an issued credential"],
    [
      { action: "issue", ttlSeconds: 9 },
      "ttlSeconds 9 is not a whole number of seconds from 10 to the role's maximum; leave it out for the role's default",
    ],
    [
      { action: "issue", minRemainingSeconds: 10 },
      "minRemainingSeconds needs an idempotencyKey: it says how long an earlier lease of that key must still live; send both, or neither",
    ],
    [
      { action: "issue", idempotencyKey: "pod", minRemainingSeconds: -1 },
      "minRemainingSeconds -1 is not a whole number of seconds from 0 to half of the role's maximum; leave it out for 10",
    ],
    [
      { action: "issue", idempotencyKey: "" },
      'idempotencyKey "" is not 1 to 128 printable ASCII characters; use a name that is the same for every attempt, such as the pod\'s',
    ],
  ])("is refused with the field, its value and the remedy: %j", (event, message) => {
    expect(() => parseRequest(event)).toThrow(new InvalidRequestError(message));
  });

  test("with an unknown field is refused, for every action", () => {
    const actions = fc.constantFrom("issue", "renew", "revoke", "lookup");
    const known = ["action", "leaseId", "ttlSeconds", "idempotencyKey", "minRemainingSeconds"];
    fc.assert(
      fc.property(actions, fc.string({ minLength: 1 }), fc.jsonValue(), (action, name, value) => {
        fc.pre(!known.includes(name));
        const event = JSON.parse(`{"action":"${action}","leaseId":"x"}`);
        Object.defineProperty(event, name, { value, enumerable: true });
        expect(() => parseRequest(event)).toThrow(`${action} does not know`);
      }),
    );
  });
});
