import { expect, test } from "vitest";
import { type OperateDeps, operate } from "../../core/leases/operation/operate.ts";

/** What a status needs of an operator's parts: a database without leases. */
const partsOf = (aliasUnsealed?: boolean) =>
  ({
    database: "orders",
    tag: "abcd",
    engine: { list: async () => ({ roles: [], now: 0 }) },
    aliasUnsealed,
  }) as unknown as OperateDeps;

const statusOf = (deps: OperateDeps) =>
  operate(deps, { action: "status" }, { actor: "operator", mayContinue: () => true });

test("a status says that aliases are unsealed, and nothing of it where they are not", async () => {
  expect(await statusOf(partsOf(true))).toEqual({ leases: [], foreign: 0, aliasUnsealed: true });
  for (const aliasUnsealed of [false, undefined])
    expect(await statusOf(partsOf(aliasUnsealed))).toEqual({ leases: [], foreign: 0 });
});
