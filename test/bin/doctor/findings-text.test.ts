import { expect, test } from "vitest";
import { examine } from "../../../bin/doctor/examine.ts";
import {
  byVerdict,
  findingsText,
  idleText,
  statusOfFindings,
  summaryOf,
} from "../../../bin/doctor/findings-text.ts";
import { accept } from "../../../core/doctor/accepted.ts";
import { bounded } from "../../../core/doctor/bounded.ts";
import type { Finding } from "../../../core/doctor/finding.ts";

const finding = (check: string, verdict: Finding["verdict"], more: object = {}): Finding => ({
  area: "database",
  check,
  subject: "orders",
  verdict,
  evidence: `seen of ${check}`,
  ...more,
});

const SQL = {
  kind: "sql",
  database: "orders",
  as: "app_owner",
  statements: ["REVOKE SELECT\n  ON t FROM PUBLIC;", "GRANT USAGE ON SCHEMA s TO r;"],
} as const;

test("the worst comes first, with what mends it; what is fine is one line an area", () => {
  const text = findingsText([
    finding("verbs", "ok"),
    finding("group-excess", "warning", { fix: SQL }),
    finding("readers", "ok"),
    { ...finding("caller", "ok"), area: "identity" },
    finding("server-version", "broken", { fix: { kind: "step", text: "upgrade to 18.4" } }),
  ]);
  expect(text).toBe(`BROKEN  database server-version: orders
  seen of server-version
  to mend it: upgrade to 18.4

WARNING  database group-excess: orders
  seen of group-excess
  to mend it, in database orders as app_owner:
    REVOKE SELECT
      ON t FROM PUBLIC;
    GRANT USAGE ON SCHEMA s TO r;

ok  database: verbs, readers
ok  identity: caller`);
});

test("a name cannot read as another finding, and turns no text around", () => {
  const text = findingsText([
    finding("policy-groups", "broken", {
      subject: "policy x\n\nok  database: verbs",
      evidence: "\u202eadmin\nBROKEN  database own-roles: x",
      fix: { kind: "step", text: "end\r\n\u2028it\u{e0001}" },
    }),
    finding("verbs", "warning", {
      fix: { ...SQL, database: "a\nb", as: "c\u202e", statements: ["SELECT '\u202e';"] },
    }),
  ]);
  expect(text.split("\n")).toHaveLength(8);
  expect(text).not.toMatch(/[^\P{Cc}\n]|[\p{Cf}\p{Zl}]/u);
  expect(text).toContain("policy x\\u000a\\u000aok  database: verbs\n  \\u202eadmin\\u000aBROKEN");
});

test.each([
  [["ok", "ok"], 0],
  [["ok", "warning"], 65],
  [["warning", "unknown"], 75],
  [["unknown", "broken", "ok"], 76],
  [[], 75],
] as const)("the exit status of %j is %i", (verdicts, status) => {
  const findings = verdicts.map((verdict) => finding("x", verdict));
  expect(statusOfFindings(findings)).toBe(status);
});

test("findings are counted, and keep their order within a verdict", () => {
  const findings = [finding("a", "ok"), finding("b", "broken"), finding("c", "broken")];
  expect(summaryOf(findings)).toBe("3 findings: 2 broken, 1 ok");
  expect(byVerdict(findings).map(({ check }) => check)).toEqual(["b", "c", "a"]);
  expect(summaryOf([])).toBe("0 findings: nothing was looked at");
});

test("an area that cannot be looked at is skipped, unless it was wanted by name", async () => {
  const looks = {
    identity: async () => [finding("a", "ok")],
    database: () => Promise.reject(new Error("no stack")),
  };
  const { findings, skipped } = await examine(looks, []);
  expect(findings).toHaveLength(1);
  expect(skipped).toMatchObject([{ area: "database", error: { message: "no stack" } }]);
  await expect(examine(looks, ["database"])).rejects.toThrow("no stack");
  expect((await examine(looks, ["identity"])).skipped).toEqual([]);
});

const WARNING = finding("group-excess", "warning", { fix: SQL });

test.each<[string, readonly string[], number, readonly object[]]>([
  ["by its check", ["group-excess"], 0, []],
  ["by check and subject", ["group-excess=orders"], 0, []],
  ["another subject", ["group-excess=other"], 65, [{ text: "group-excess=other" }]],
  ["what is fine", ["group-excess", "verbs"], 0, [{ text: "verbs", verdict: "ok" }]],
])("an accepted warning counts as ok, and no other does: %s", (_, texts, status, idle) => {
  const judged = accept([finding("verbs", "ok"), WARNING], texts);
  expect(statusOfFindings(judged.findings)).toBe(status);
  expect(judged.idle).toEqual(idle);
});

test("one acceptance leaves a new warning of its check in force, and may name what cannot be seen", () => {
  const next = finding("group-excess", "warning", { subject: "a=b\u202e" });
  const one = accept([WARNING, next], ["group-excess=orders"]);
  expect(statusOfFindings(one.findings)).toBe(65);
  expect(findingsText(one.findings)).toMatch(
    /^WARNING {2}database group-excess: a=b\\u202e\n.*\n\naccepted {2}database group-excess: orders$/s,
  );
  expect(summaryOf(one.findings)).toBe("2 findings: 1 warning, 1 accepted");
  const both = accept([WARNING, next], ["group-excess=orders", "group-excess=a=b\\u202e"]);
  expect(statusOfFindings(both.findings)).toBe(0);
});

test.each(["broken", "unknown"] as const)("what is %s is never accepted", (verdict) => {
  const { findings, idle } = accept([finding("verbs", verdict)], ["verbs", "verbs=orders"]);
  expect(findings).toEqual([finding("verbs", verdict)]);
  expect(idle).toEqual([
    { text: "verbs", verdict },
    { text: "verbs=orders", verdict },
  ]);
  expect(idleText({ text: "verbs", verdict })).toBe(
    `--accept verbs: it is ${verdict}, and only a warning can be accepted; do what the finding says`,
  );
});

test("what is left out of an answer is accepted with its check, not by how many there are", () => {
  const all = Array.from({ length: 3 }, (_, n) =>
    finding("group-excess", "warning", { subject: `${n}` }),
  );
  const answer = bounded(all, { most: 2 });
  const named = accept(answer, ["group-excess=0", "group-excess=1", "group-excess=1 more"]);
  expect(statusOfFindings(named.findings)).toBe(65);
  expect(named.idle).toEqual([{ text: "group-excess=1 more" }]);
  expect(statusOfFindings(accept(answer, ["group-excess"]).findings)).toBe(0);
});

test("an acceptance of nothing is told", () => {
  const [idle] = accept([], ["verbs=gone"]).idle;
  expect(idle === undefined ? "" : idleText(idle)).toBe(
    "--accept verbs=gone: there is no such warning; remove it, or write check=subject as they are printed",
  );
});
