import type { Finding } from "./finding.ts";

/** What a rule found; its area and its check's name are added where rules are listed. */
export type Found = Omit<Finding, "area" | "check">;

const found =
  (verdict: Finding["verdict"]) =>
  (subject: string, evidence: string, step: string): Found => ({
    subject,
    verdict,
    evidence,
    fix: { kind: "step", text: step },
  });

export const fine = (subject: string, evidence: string): Found => ({
  subject,
  verdict: "ok",
  evidence,
});

/** It works, and will not always. */
export const doubtful = found("warning");

/** It could not be looked at; the step says how to. */
export const unclear = found("unknown");

export const broken = found("broken");
