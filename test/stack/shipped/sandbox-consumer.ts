import { beforeAll, expect, test } from "vitest";
import { invoke } from "../../local/clients.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
beforeAll(async () => {
  stack = await sharedShipped();
});

const call = (who: "administrator" | "userService" | "reporting" = "administrator") =>
  invoke(stack[who], stack.runner.outputs.UserServiceFunctionName ?? "", {});

const liveUsers = async (): Promise<string[]> => {
  const { answer } = await stack.operate({ action: "list", state: "live" });
  const { leases } = answer as unknown as { leases: { leaseId: string }[] };
  return leases.map(({ leaseId }) => leaseId.split("/").at(-1) ?? "");
};

test("the sandbox's consumer returns the table's rows, read as a lease of its own", async () => {
  const { answer, FunctionError } = await call();
  expect(FunctionError).toBeUndefined();
  expect(answer).toEqual({
    user: expect.stringMatching(/^mf_[a-z2-7]{4}_readonly_user-service_/),
    rows: [
      { id: "1", customer: "ada", total_cents: "1250" },
      { id: "2", customer: "grace", total_cents: "8999" },
      { id: "3", customer: "edsger", total_cents: "420" },
      { id: "4", customer: "barbara", total_cents: "31337" },
      { id: "5", customer: "tony", total_cents: "100" },
    ],
  });
  expect(await liveUsers()).toEqual([answer?.user]);
});

test("it asks once while its credential is fresh", async () => {
  const requests = (): number =>
    stack.runner.calls.filter(({ resource }) => resource.endsWith(":user-service--readonly"))
      .length;
  const before = requests();
  const { answer } = await call();
  expect([answer?.user]).toEqual(await liveUsers());
  expect(requests()).toBe(before);
});

test("a lease that is revoked under it costs nobody a call: the next has another user", async () => {
  const [first] = await liveUsers();
  await stack.operate({ action: "revoke", consumer: "user-service" });
  const { answer, FunctionError } = await call();
  expect(FunctionError).toBeUndefined();
  expect(answer?.rows).toHaveLength(5);
  expect(answer?.user).not.toBe(first);
  expect(await liveUsers()).toEqual([answer?.user]);
});

test.each(["userService", "reporting"] as const)("%s may not run its function", async (who) => {
  await expect(call(who)).rejects.toMatchObject({ name: "AccessDeniedException" });
});
