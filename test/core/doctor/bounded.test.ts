import { expect, test } from "vitest";
import { bounded } from "../../../core/doctor/bounded.ts";
import type { Finding } from "../../../core/doctor/finding.ts";

const finding = (check: string, verdict: Finding["verdict"], subject: string): Finding => ({
  area: "database",
  check,
  subject,
  verdict,
  evidence: "seen",
});

test("an answer has the worst findings of each check, and says how many it leaves out", () => {
  const many = Array.from({ length: 9_000 }, (_, n) => finding("policy-groups", "warning", `${n}`));
  const worst = finding("policy-groups", "broken", "the worst");
  const answer = bounded([finding("verbs", "ok", "schema"), ...many, worst]);
  expect(answer).toHaveLength(102);
  expect(answer[0]?.check).toBe("verbs");
  expect(answer).toContain(worst);
  expect(answer.at(-1)).toMatchObject({ subject: "8901 more", verdict: "warning" });
  expect(bounded(answer.slice(0, 100))).toEqual(answer.slice(0, 100));
});

test("an answer has no more bytes than a function may answer with", () => {
  const long = finding("group-owned", "broken", "x".repeat(1_000));
  const short = finding("verbs", "broken", "schema");
  const answer = bounded([long, long, short], { bytes: 500 });
  expect(answer.map(({ subject }) => subject)).toEqual(["2 more", "schema"]);
});
