import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidRequestError } from "../../core/errors.ts";
import { MIN_TTL_SECONDS, parseRequest } from "../../core/leases/request.ts";

const role = {
  groupRole: "mf_abcd_group_readonly",
  dbname: "orders",
  ttlSeconds: 900,
  maxTtlSeconds: 3_600,
  maxLeases: 100,
  maxLeasesPerConsumer: 20,
  connectionLimit: 5,
};
const parse = (event: unknown) => parseRequest(event, role);

describe("a consumer's request", () => {
  test.each<[object, object]>([
    [{ action: "issue" }, { action: "issue", ttlSeconds: 900 }],
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
      { action: "issue", ttlSeconds: 900, idempotencyKey: "~ pod 1 ~" },
    ],
    [
      { action: "renew", leaseId: "x" },
      { action: "renew", leaseId: "x", ttlSeconds: 900 },
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
    expect(parse(event)).toEqual(request);
  });

  test("with a TTL is taken for every whole number in the role's range", () => {
    fc.assert(
      fc.property(fc.integer({ min: MIN_TTL_SECONDS, max: role.maxTtlSeconds }), (ttlSeconds) => {
        expect(parse({ action: "issue", ttlSeconds })).toEqual({ action: "issue", ttlSeconds });
      }),
    );
  });

  test("with a TTL of anything else is refused by its name", () => {
    const isFine = (value: unknown): boolean =>
      value === undefined ||
      (Number.isInteger(value) &&
        Number(value) >= MIN_TTL_SECONDS &&
        Number(value) <= role.maxTtlSeconds);
    fc.assert(
      fc.property(fc.oneof(fc.integer(), fc.double(), fc.anything()), (ttlSeconds) => {
        fc.pre(!isFine(ttlSeconds));
        expect(() => parse({ action: "issue", ttlSeconds })).toThrow(
          /^ttlSeconds .* is not a whole number .* from 10 to 3600/s,
        );
      }),
    );
  });

  test("of any other shape is refused with an error of ours, whatever it is", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, maxDepth: 3 }), (event) => {
        expect(() => parse(event)).toThrow(InvalidRequestError);
      }),
    );
  });

  test("with one field too many is refused by that field's name, for every action", () => {
    const actions = fc.constantFrom("issue", "renew", "revoke", "lookup");
    const known = ["action", "leaseId", "ttlSeconds", "idempotencyKey"];
    fc.assert(
      fc.property(actions, fc.string({ minLength: 1 }), fc.jsonValue(), (action, name, value) => {
        fc.pre(!known.includes(name));
        const event = JSON.parse(`{"action":"${action}","leaseId":"x"}`);
        Object.defineProperty(event, name, { value, enumerable: true });
        expect(() => parse(event)).toThrow(`${action} does not know`);
      }),
    );
  });
});
