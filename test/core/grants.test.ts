import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NotAllowedError } from "../../core/errors.ts";
import type { Deployment } from "../../core/leases/deployment.ts";
import { grantOf, ownLease } from "../../core/leases/grants.ts";

const deployment: Deployment = {
  database: "orders",
  tag: "abcd",
  maintenanceDatabase: "mayfly",
  shards: 2,
  tls: "verify-full",
  grants: {
    "user-service--readonly": { consumer: "user-service", role: "readonly" },
    "reporting--readonly": { consumer: "reporting", role: "readonly" },
  },
};

const FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:issuer";

describe("an invocation", () => {
  test("through an alias of the deployment has that grant", () => {
    expect(grantOf(deployment, `${FUNCTION}:user-service--readonly`)).toEqual({
      consumer: "user-service",
      role: "readonly",
    });
  });

  test.each([
    ["the function itself", FUNCTION],
    ["the function with a bare colon", `${FUNCTION}:`],
    ["$LATEST", `${FUNCTION}:$LATEST`],
    ["a version", `${FUNCTION}:7`],
    ["an unknown alias", `${FUNCTION}:nobody--readonly`],
    ["an alias in capitals", `${FUNCTION}:User-Service--readonly`],
    ["an alias with a space", `${FUNCTION}:user-service--readonly `],
    ["an alias with more behind it", `${FUNCTION}:user-service--readonly:x`],
    ["an alias with nothing behind it", `${FUNCTION}:user-service--readonly:`],
    ["__proto__", `${FUNCTION}:__proto__`],
    ["constructor", `${FUNCTION}:constructor`],
    ["hasOwnProperty", `${FUNCTION}:hasOwnProperty`],
    ["toString", `${FUNCTION}:toString`],
    ["nothing", ""],
    ["colons", ":::::::::::"],
    ["an alias that would be a name in a log", `${FUNCTION}:x\n{"level":"INFO"}`],
    ["10 kB", `${FUNCTION}:${"x".repeat(10_000)}`],
  ])("through %s has no grant, and is told in bounded words how to get one", (_, arn) => {
    let failure: unknown;
    try {
      grantOf(deployment, arn);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(NotAllowedError);
    const { message } = failure as Error;
    expect(message).toMatch(/is not a grant; invoke .*:<consumer>--<role>/);
    expect(message).not.toContain("\n");
    expect(message.length).toBeLessThan(400);
  });

  test("has a grant for no text but an alias of the deployment", () => {
    const aliases = Object.keys(deployment.grants);
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (alias) => {
        fc.pre(!aliases.includes(alias));
        expect(() => grantOf(deployment, `${FUNCTION}:${alias}`)).toThrow(NotAllowedError);
      }),
    );
  });
});

describe("a lease", () => {
  const grant = grantOf(deployment, `${FUNCTION}:user-service--readonly`);
  const own = "orders/readonly/mf_abcd_readonly_user-service_00000000abaaaaaaaaaaaa";

  test("belongs to the grant that it was issued through", () => {
    expect(ownLease(deployment, grant, own)).toMatchObject({ database: "orders" });
  });

  test.each([
    ["another consumer", own.replace("user-service", "reporting")],
    ["a consumer whose name begins alike", own.replace("user-service", "user-services")],
    ["another role", own.replaceAll("readonly", "readwrite")],
    ["another database", own.replace("orders/", "billing/")],
    ["another stack", own.replace("abcd", "abce")],
  ])("of %s does not", (_, id) => {
    expect(() => ownLease(deployment, grant, id)).toThrow(NotAllowedError);
    expect(() => ownLease(deployment, grant, id)).toThrow(/use the alias it was issued through$/);
  });
});
