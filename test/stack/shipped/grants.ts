import { beforeAll, describe, expect, test } from "vitest";
import { invoke } from "../../local/clients.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
beforeAll(async () => {
  stack = await sharedShipped();
});

const leases = (): Promise<Record<string, unknown>[]> =>
  stack.superuser(
    "select 1 from pg_roles where rolname ~ '^mf_[a-z2-7]{4}_[a-z-]+_[a-z-]+_[a-z0-9]{22}$'",
  );

describe("an alias is one consumer's grant", () => {
  const alias = (name: string): string => `${stack.issuerArn}:${name}`;

  test.each([
    ["reporting", "user-service--readonly"],
    ["reporting", "user-service--readwrite"],
    ["userService", "reporting--readonly"],
    ["administrator", "user-service--readonly"],
    ["administrator", "reporting--readonly"],
  ] as const)("%s cannot call %s, and IAM says so", async (who, name) => {
    const denied = invoke(stack[who], alias(name), { action: "issue" });
    await expect(denied).rejects.toMatchObject({
      name: "AccessDeniedException",
      message: expect.stringContaining("is not authorized to perform: lambda:InvokeFunction"),
    });
    expect(await leases()).toEqual([]);
  });

  test.each(["userService", "reporting"] as const)(
    "%s cannot call the function itself, the operator or the revoker",
    async (who) => {
      const revoker = stack.operatorArn.replace(/operator$/, "revoker");
      for (const arn of [stack.issuerArn, stack.operatorArn, revoker])
        await expect(invoke(stack[who], arn, { action: "issue" })).rejects.toMatchObject({
          name: "AccessDeniedException",
        });
    },
  );

  test.each([
    ["", "no alias"],
    [":$LATEST", "$LATEST"],
    [":1", "1"],
  ])(
    "an administrator who invokes the issuer as function%s is refused by the function",
    async (suffix, shown) => {
      const event = { action: "issue" };
      const { answer } = await invoke(stack.administrator, stack.issuerArn + suffix, event);
      expect(answer).toMatchObject({
        errorType: "NotAllowedError",
        errorMessage: expect.stringContaining(`"${shown}" of function`),
      });
      expect(await leases()).toEqual([]);
    },
  );

  test("an alias that the stack did not make does not exist", async () => {
    await expect(
      invoke(stack.administrator, alias("mallory--readonly"), { action: "issue" }),
    ).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  });
});

describe("a request that is not understood does nothing", () => {
  const forged = {
    requestContext: { authorizer: { iam: { userArn: "arn:aws:iam::1:role/admin" } } },
    rawPath: "/",
  };
  test.each([
    ["an unknown action", { action: "grant" }, /^action "grant" /],
    ["no action", {}, / action/],
    ["an unknown field", { action: "issue", ttl: 60 }, /"ttl"/],
    ["a function URL's event", { action: "issue", ...forged }, /"requestContext"/],
    ["another consumer's name", { action: "issue", consumer: "reporting" }, /"consumer"/],
    ["another role's name", { action: "issue", role: "readwrite" }, /"role"/],
    ["a list", [{ action: "issue" }], /JSON object/],
    ["a lifetime of 0", { action: "issue", ttlSeconds: 0 }, /^ttlSeconds 0 /],
    ["a lifetime in words", { action: "issue", ttlSeconds: "1h" }, /^ttlSeconds "1h" /],
    ["a lifetime above the maximum", { action: "issue", ttlSeconds: 86_401 }, /^ttlSeconds 86401 /],
    ["an empty key", { action: "issue", idempotencyKey: "" }, /^idempotencyKey "" /],
    ["a long key", { action: "issue", idempotencyKey: "k".repeat(10_000) }, /\(10000 characters/],
    [
      "a made-up lease",
      { action: "renew", leaseId: "orders/readonly/postgres" },
      /readonly\/postgres/,
    ],
    ["an injection", { action: "revoke", leaseId: `x"; drop role "y\0` }, /drop role/],
  ])("%s", async (_, event, message) => {
    const { answer, FunctionError } = await stack.ask(event);
    expect(FunctionError).toBe("Unhandled");
    expect(answer).toMatchObject({
      errorType: "InvalidRequestError",
      errorMessage: expect.stringMatching(message),
    });
    expect(await leases()).toEqual([]);
  });

  test("a lease of another role or consumer cannot be touched through one's own alias", async () => {
    const { leaseId, username } = await stack.issue({}, "readwrite");
    for (const action of ["renew", "revoke", "lookup"]) {
      const { answer } = await stack.ask({ action, leaseId });
      expect(answer).toMatchObject({ errorType: "NotAllowedError" });
    }
    const arn = `${stack.issuerArn}:reporting--readonly`;
    const { answer } = await invoke(stack.reporting, arn, { action: "revoke", leaseId });
    expect(answer).toMatchObject({ errorType: "NotAllowedError" });
    expect(
      await stack.superuser(`select 1 from pg_roles where rolname = '${username}' and rolcanlogin`),
    ).toHaveLength(1);
    await stack.operate({ action: "revoke", everything: true });
  });
});

test("what leaves a function on an error is its name, its message, and nothing of ours", async () => {
  const { answer } = await stack.ask({ action: "issue", ttlSeconds: 1 });
  expect(Object.keys(answer ?? {}).sort()).toEqual(["errorMessage", "errorType", "trace"]);
  expect(JSON.stringify(answer?.trace)).not.toMatch(/at |\.mjs|file:/);
});
