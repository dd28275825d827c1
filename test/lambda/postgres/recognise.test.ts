import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isDue } from "../../../core/leases/lease.ts";
import type { Instant } from "../../../core/time.ts";
import {
  MAX_RECORD_LENGTH,
  parseRecord,
  type RoleRow,
  recognise,
} from "../../../lambda/postgres/leases/recognise.ts";

const NOW = 1_700_000_000_000 as Instant;
const at = (seconds: number): Instant => (NOW + seconds * 1_000) as Instant;

const row: RoleRow = {
  incarnation: "16500",
  username: "mf_abcd_readonly_user-service_00000000abaaaaaaaaaaaa",
  canLogin: true,
  validUntil: at(60),
  privileged: false,
  memberOf: ["mf_abcd_group_readonly"],
  admins: ["mf_abcd_issuer_ab"],
  comment: `{"v":1,"issued":${at(-60)},"max":${at(3_600)}}`,
};

describe("a role is recognised as a lease", () => {
  test("when name, attributes, ADMIN OPTION and group all agree", () => {
    expect(recognise(row, "abcd")).toMatchObject({
      kind: "lease",
      lease: {
        incarnation: "16500",
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
    ["its name is not a lease's", { username: "app_user" }, /its name/],
    ["its tag is another stack's", { username: row.username.replace("abcd", "abce") }, /its name/],
    ["it has a privileged attribute", { privileged: true }, /privileged attribute/],
    ["nobody administers it", { admins: [] }, /ADMIN OPTION/],
    ["another shard administers it", { admins: ["mf_abcd_issuer_aa"] }, /ADMIN OPTION/],
    ["another stack administers it", { admins: ["mf_abce_issuer_ab"] }, /ADMIN OPTION/],
    ["a name like the shard's does", { admins: ["mf_abcd_issuer_abb"] }, /ADMIN OPTION/],
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
  test("is read back as the verbs write it", () => {
    const pepper = "p".repeat(36);
    const written = `{"v": 1, "max": ${at(9)}, "issued": ${NOW}, "pepper": "${pepper}"}`;
    expect(parseRecord(written)).toEqual({
      issuedAt: NOW,
      maxExpiresAt: at(9),
      pepper,
    });
  });

  test("parses any comment as a record or undefined, never with an error", () => {
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

  test("keeps no malformed pepper version and no malformed time", () => {
    const open = `{"v":1,"issued":${NOW},"max":${NOW},"pepper":"../../x","latched":"soon","expired":null}`;
    expect(parseRecord(open)).toEqual({ issuedAt: NOW, maxExpiresAt: NOW });
  });
});

const lease = { incarnation: "1", username: "x", canLogin: true, expiresAt: at(60) } as const;

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
