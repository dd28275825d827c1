import { beforeAll, expect, test } from "vitest";
import { ACCOUNT_CHECKS } from "../../../bin/doctor/aws/look-at-account.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import { mayfly, shellOf } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
let administrator: Record<string, string>;

beforeAll(async () => {
  stack = await sharedShipped();
  administrator = shellOf(stack.runner, "administrator");
});

const doctor = async (
  ...args: string[]
): Promise<{ readonly status: number | null; readonly findings: readonly Finding[] }> => {
  const { status, out } = await mayfly(["doctor", ...args, "--json"], administrator);
  return { status, findings: (JSON.parse(out) as { findings: readonly Finding[] }).findings };
};

const summed = (findings: readonly Finding[]): readonly string[] => [
  ...new Set(
    findings
      .filter(({ verdict }) => verdict !== "ok")
      .map(({ area, check, verdict }) => `${area} ${check} ${verdict}`),
  ),
];

test("a healthy stack is ok throughout; the operator function finds what a DBA did by hand", async () => {
  const before = await doctor("database", "aws");
  await stack.superuser("alter role app_owner login; grant delete on public.orders to public");
  const after = await doctor("database");
  const both = ["--accept", "group-excess", "--accept", "lasting-logins"];
  const accepted = await doctor("database", ...both);
  await stack.superuser("alter role app_owner nologin; revoke all on public.orders from public");
  expect(before.findings.length).toBeGreaterThan(20);
  const atAws = before.findings.filter(({ area }) => area === "aws").map(({ check }) => check);
  expect([...new Set(atAws)]).toEqual(["endpoint-reach", ...ACCOUNT_CHECKS]);
  expect(atAws.filter((check) => check === "endpoint-reach")).toHaveLength(3);
  expect(summed(before.findings)).toEqual([]);
  expect(before.status).toBe(0);
  expect(summed(after.findings)).toEqual([
    "database group-excess warning",
    "database lasting-logins warning",
  ]);
  expect(after.status).toBe(65);
  expect(accepted.status).toBe(0);
});
