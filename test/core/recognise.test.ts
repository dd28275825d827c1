import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  isDue,
  MAX_RECORD_LENGTH,
  openRecord,
  parseRecord,
  type RoleRow,
  recognise,
} from "../../core/leases/lease.ts";
import { decideRenewal } from "../../core/leases/renew.ts";
import type { Instant } from "../../core/time.ts";

const NOW = 1_700_000_000_000 as Instant;
const at = (seconds: number): Instant => (NOW + seconds * 1_000) as Instant;

const row: RoleRow = {
  oid: 16_500,
  username: "mf_abcd_01_user-service_readonly_00000000aaaaaaaaaaaa",
  canLogin: true,
  validUntil: at(60),
  privileged: false,
  memberOf: ["mf_abcd_group_readonly"],
  admins: ["mf_abcd_issuer_01"],
  comment: `{"v":1,"issued":${at(-60)},"max":${at(3_600)}}`,
};

describe("a role is recognised as a lease", () => {
  test("when name, attributes, ADMIN OPTION and group all agree", () => {
    expect(recognise(row, "abcd")).toMatchObject({
      kind: "lease",
      lease: {
        oid: 16_500,
        canLogin: true,
        expiresAt: at(60),
        name: { shard: 1, consumer: "user-service", role: "readonly" },
        record: { issuedAt: at(-60), maxExpiresAt: at(3_600) },
      },
    });
  });

  test("when it is latched, without its group, and then expires when its record says", () => {
    const latched = { ...row, canLogin: false, memberOf: [], validUntil: undefined };
    const comment = `{"v":1,"issued":${at(-60)},"max":${at(9)},"expired":${at(5)},"latched":${NOW}}`;
    expect(recognise({ ...latched, comment }, "abcd")).toMatchObject({
      kind: "lease",
      lease: { canLogin: false, expiresAt: at(5), record: { latchedAt: NOW } },
    });
    expect(recognise({ ...latched, comment: "forged" }, "abcd")).toMatchObject({ kind: "lease" });
  });

  test.each<[string, Partial<RoleRow>, RegExp]>([
    ["its name is none", { username: "app_user" }, /its name/],
    ["its tag is another stack's", { username: row.username.replace("abcd", "abce") }, /its name/],
    ["it has a privileged attribute", { privileged: true }, /privileged attribute/],
    ["nobody administers it", { admins: [] }, /ADMIN OPTION/],
    ["another shard administers it", { admins: ["mf_abcd_issuer_00"] }, /ADMIN OPTION/],
    ["another stack administers it", { admins: ["mf_abce_issuer_01"] }, /ADMIN OPTION/],
    ["a name like the shard's does", { admins: ["mf_abcd_issuer_011"] }, /ADMIN OPTION/],
    ["it logs in without a group", { memberOf: [] }, /not in the group/],
    ["it is in another group", { memberOf: ["mf_abcd_group_readwrite"] }, /not in the group/],
  ])("not when %s", (_, change, why) => {
    const recognition = recognise({ ...row, ...change }, "abcd");
    expect(recognition).toMatchObject({ kind: "foreign", why: expect.stringMatching(why) });
  });

  test("when it took itself from the issuer role, which PostgreSQL 14 lets it, but kept its record", () => {
    const left = { ...row, admins: [], administersItself: true };
    expect(recognise(left, "abcd").kind).toBe("lease");
    expect(recognise({ ...left, canLogin: false, memberOf: [] }, "abcd").kind).toBe("lease");
    for (const change of [{ comment: "forged" }, { privileged: true }, { memberOf: [] }])
      expect(recognise({ ...left, ...change }, "abcd").kind).toBe("foreign");
  });

  test("by no comment: whatever it says, the answer is the same kind", () => {
    fc.assert(
      fc.property(fc.string(), fc.boolean(), (comment, privileged) => {
        const kind = privileged ? "foreign" : "lease";
        expect(recognise({ ...row, comment, privileged }, "abcd").kind).toBe(kind);
      }),
    );
  });
});

describe("a record", () => {
  test("is read back as it was written, with the times the server adds", () => {
    const open = openRecord({ consumer: "c", role: "r", pepper: "p".repeat(36) });
    expect(parseRecord(`${open},"issued":${NOW},"max":${at(9)}}`)).toEqual({
      issuedAt: NOW,
      maxExpiresAt: at(9),
      pepper: "p".repeat(36),
    });
  });

  test("of anybody's making is a record or nothing, and never an error", () => {
    const values = fc.oneof(
      fc.jsonValue(),
      fc.record({ v: fc.constant(1), issued: fc.jsonValue(), max: fc.jsonValue() }),
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          values.map((value) => JSON.stringify(value)),
        ),
        (comment) => {
          const record = parseRecord(comment);
          if (record === undefined) return;
          expect(Number.isInteger(record.issuedAt) && Number.isInteger(record.maxExpiresAt)).toBe(
            true,
          );
          expect(new Date(record.maxExpiresAt).toISOString()).toMatch(/^\d{4}-/);
        },
      ),
    );
  });

  test.each<[string, string | undefined]>([
    ["no comment", undefined],
    ["an empty one", ""],
    ["no JSON", "lease of the user service"],
    ["a number", "1"],
    ["null", "null"],
    ["a list", "[1]"],
    ["no version", `{"issued":${NOW},"max":${NOW}}`],
    ["version 2", `{"v":2,"issued":${NOW},"max":${NOW}}`],
    ["a version in text", `{"v":"1","issued":${NOW},"max":${NOW}}`],
    ["no times", '{"v":1}'],
    ["times in text", `{"v":1,"issued":"${NOW}","max":${NOW}}`],
    ["a fraction", `{"v":1,"issued":1.5,"max":${NOW}}`],
    ["a time before 1970", `{"v":1,"issued":-1,"max":${NOW}}`],
    ["a time after 9999", `{"v":1,"issued":${NOW},"max":253402300800000}`],
    ["a prototype", `{"__proto__":{"v":1,"issued":${NOW},"max":${NOW}}}`],
    [
      "one character too many",
      `{"v":1,"issued":${NOW},"max":${NOW}}`.padEnd(MAX_RECORD_LENGTH + 1),
    ],
  ])("is not %s", (_, comment) => {
    expect(parseRecord(comment)).toBeUndefined();
  });

  test("keeps no pepper version that is none, and no time that is none", () => {
    const open = `{"v":1,"issued":${NOW},"max":${NOW},"pepper":"../../x","latched":"soon","expired":null}`;
    expect(parseRecord(open)).toEqual({ issuedAt: NOW, maxExpiresAt: NOW });
  });
});

const lease = { oid: 1, username: "x", canLogin: true, expiresAt: at(60) } as const;

describe("a lease is due", () => {
  test.each<[string, Partial<{ canLogin: boolean; expiresAt: Instant | undefined }>, boolean]>([
    ["a second before its expiry", { expiresAt: at(1) }, false],
    ["a millisecond before", { expiresAt: (NOW + 1) as Instant }, false],
    ["at its expiry", { expiresAt: NOW }, true],
    ["after it", { expiresAt: at(-1) }, true],
    ["without an expiry", { expiresAt: undefined }, true],
    ["when it is latched, whatever its expiry", { canLogin: false, expiresAt: at(3_600) }, true],
  ])("%s", (_, change, due) => {
    const { name } = nameOf();
    expect(isDue({ ...lease, ...change, name } as Parameters<typeof isDue>[0], NOW)).toBe(due);
  });
});

function nameOf() {
  const recognition = recognise(row, "abcd");
  if (recognition.kind !== "lease") throw new Error("not a lease");
  return recognition.lease;
}

describe("a renewal", () => {
  const whole = nameOf();
  const HOUR = 3_600;

  test.each<[string, Partial<typeof whole>, object]>([
    ["of a live lease goes to its maximum", {}, { kind: "extend", until: at(3_540) }],
    [
      "goes no further than the record's maximum",
      { record: { issuedAt: at(-60), maxExpiresAt: at(100) } },
      { kind: "extend", until: at(100) },
    ],
    [
      "goes no further than the dynamic role's, whatever the record says",
      { record: { issuedAt: at(-60), maxExpiresAt: at(999_999) } },
      { kind: "extend", until: at(HOUR - 60) },
    ],
    ["without a record moves nothing", { record: undefined }, { kind: "extend", until: at(60) }],
    [
      "with a record from the future moves nothing",
      { record: { issuedAt: at(1), maxExpiresAt: at(999) } },
      { kind: "extend", until: at(60) },
    ],
    [
      "beyond a maximum that was lowered is refused: it would cut the lease off",
      { record: { issuedAt: at(-HOUR - 1), maxExpiresAt: at(HOUR) } },
      { kind: "refuse", reason: "expired" },
    ],
    ["of a latched lease is refused", { canLogin: false }, { kind: "refuse", reason: "revoked" }],
    ["of an expired lease is refused", { expiresAt: NOW }, { kind: "refuse", reason: "expired" }],
    [
      "of a lease without an expiry is refused",
      { expiresAt: undefined },
      { kind: "refuse", reason: "expired" },
    ],
  ])("%s", (_, change, decision) => {
    expect(decideRenewal({ ...whole, ...change } as typeof whole, HOUR, NOW)).toEqual(decision);
  });

  test("never goes beyond the issue plus the dynamic role's maximum, nor the record's own", () => {
    const instants = fc
      .integer({ min: 1, max: 4_000_000_000_000 })
      .map((value) => value as Instant);
    fc.assert(
      fc.property(
        instants,
        instants,
        fc.integer({ min: 10, max: 1e6 }),
        (issuedAt, maxExpiresAt, most) => {
          const record = { issuedAt, maxExpiresAt };
          const decision = decideRenewal({ ...whole, record }, most, NOW);
          if (decision.kind !== "extend" || issuedAt > NOW) return;
          expect(decision.until).toBeLessThanOrEqual(issuedAt + most * 1_000);
          expect(decision.until).toBeLessThanOrEqual(maxExpiresAt);
        },
      ),
    );
  });
});
