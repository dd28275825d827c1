import { beforeAll, expect, test } from "vitest";
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

test("the operator function looks at the database, and finds what a DBA did by hand", async () => {
  const before = await doctor("database");
  await stack.superuser("alter role app_owner login; grant delete on public.orders to public");
  const after = await doctor("database");
  await stack.superuser("alter role app_owner nologin; revoke all on public.orders from public");
  expect(before.findings.length).toBeGreaterThan(20);
  expect(summed(before.findings)).toEqual([]);
  expect(before.status).toBe(0);
  expect(summed(after.findings)).toEqual([
    "database group-excess warning",
    "database lasting-logins warning",
  ]);
  expect(after.status).toBe(65);
});

test("at AWS it finds what the functions reach, and says what the local runner does not have", async () => {
  const { status, findings } = await doctor("aws");
  expect(
    findings.filter(({ check }) => check === "endpoint-reach").map(({ verdict }) => verdict),
  ).toEqual(["ok", "ok", "ok"]);
  expect(summed(findings)).toEqual([
    "aws function-state unknown",
    "aws event-source unknown",
    "aws sweep-schedule unknown",
    "aws schedule-group unknown",
    "aws queues unknown",
  ]);
  expect(status).toBe(75);
});
