import { expect, test } from "vitest";
import { KeeperError } from "../../../client/keeper/errors.ts";
import {
  aliasFromEnvironment,
  fromEnvironment,
} from "../../../client/keeper/sources/environment.ts";
import { leaseVariable } from "../../../core/names.ts";

const ARN = "arn:aws:lambda:eu-west-1:123456789012:function:issuer:app--readonly";
const OTHER = "arn:aws:lambda:eu-west-1:123456789012:function:issuer:app--readwrite";

test("the variable of a role has its database and name in capitals", () => {
  expect(leaseVariable("orders/readonly")).toBe("MAYFLY_LEASE_ORDERS_READONLY");
  expect(leaseVariable("my-orders/read-only")).toBe("MAYFLY_LEASE_MY_ORDERS_READ_ONLY");
});

test("a role is found by its name, and the only one without", () => {
  const environment = { MAYFLY_LEASE_ORDERS_READONLY: ARN, MAYFLY_LEASE_ORDERS_READWRITE: OTHER };
  expect(aliasFromEnvironment("orders/readwrite", environment)).toBe(OTHER);
  const one = {
    MAYFLY_LEASE_ORDERS_READONLY: ARN,
    MAYFLY_LEASE_A_B: "",
    MAYFLY_LEASE_ID: "orders/…",
    HOME: "/root",
  };
  expect(aliasFromEnvironment(undefined, one)).toBe(ARN);
  expect(fromEnvironment(undefined, one).name).toBe("issuer:app--readonly");
});

test.each([
  [
    "orders/nothing",
    { MAYFLY_LEASE_ORDERS_READONLY: ARN },
    /^MAYFLY_LEASE_ORDERS_NOTHING is not set: set it to the ARN .* for orders\/nothing/,
  ],
  [undefined, {}, /^no variable MAYFLY_LEASE_<DATABASE>_<ROLE> is set: set one/],
  [
    undefined,
    { MAYFLY_LEASE_A_B: ARN, MAYFLY_LEASE_A_C: OTHER },
    /^2 leases in the environment: name one .*, of MAYFLY_LEASE_A_B, MAYFLY_LEASE_A_C$/,
  ],
])("%s of %o is refused with the remedy", (name, environment, text) => {
  let error: unknown;
  try {
    aliasFromEnvironment(name, environment as Record<string, string>);
  } catch (reason) {
    error = reason;
  }
  if (!(error instanceof KeeperError)) throw new Error("nothing was refused");
  expect(error.failure).toBe("invalid");
  expect(error.message).toMatch(text);
  expect(error.message.length).toBeLessThanOrEqual(160);
});
