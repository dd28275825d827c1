import { byHand } from "../../../core/doctor/examiner.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { flaw, type Look, ok } from "./looking.ts";

/**
 * The first minor of each major in which an SQL user cannot write outside of the server's buffers
 * (CVE-2026-6473, 14 May 2026): a lease is an SQL user. The keys are the majors that Mayfly is
 * tested with.
 */
const REPAIRED: Readonly<Record<number, number>> = { 14: 23, 15: 18, 16: 14, 17: 10, 18: 4 };

const MAJORS = Object.keys(REPAIRED).map(Number);
const PER_MAJOR = 10_000;

/** What to say of a `server_version_num`. */
export function judgeVersion(version: number): Finding {
  const [major, minor] = [Math.floor(version / PER_MAJOR), version % PER_MAJOR];
  const seen = { check: "server-version", subject: "the server" };
  const [oldest = 0, newest = 0] = [MAJORS.at(0), MAJORS.at(-1)];
  if (major < oldest)
    return flaw({
      ...seen,
      verdict: "broken",
      evidence: `PostgreSQL ${major}.${minor}; Mayfly needs ${oldest} or newer`,
      fix: byHand(`upgrade the server to PostgreSQL ${newest} (on RDS: set EngineVersion)`),
    });
  const repaired = REPAIRED[major];
  if (repaired === undefined)
    return flaw({
      ...seen,
      verdict: "warning",
      evidence: `PostgreSQL ${major}.${minor}; Mayfly is tested with ${oldest} to ${newest}`,
      fix: byHand(`run Mayfly's tests on PostgreSQL ${major}, or stay on ${newest} meanwhile`),
    });
  if (minor >= repaired) return ok({ ...seen, evidence: `PostgreSQL ${major}.${minor}` });
  return flaw({
    ...seen,
    verdict: "warning",
    evidence: `PostgreSQL ${major}.${minor}; whoever may run SQL there, as every lease may, can write outside of the server's buffers (CVE-2026-6473)`,
    fix: byHand(
      `upgrade the server to ${major}.${repaired} or newer (on RDS: set EngineVersion, or AutoMinorVersionUpgrade to true)`,
    ),
  });
}

export const lookAtVersion: Look = async ({ version }) => [judgeVersion(version)];
