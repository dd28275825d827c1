import { expect, test } from "vitest";
import { mayflyHere } from "../support/mayfly.ts";

const LEASE = {
  MAYFLY_LEASE_ORDERS_READONLY: "arn:aws:lambda:eu-west-1:111122223333:function:i:app--readonly",
};

test.each([
  [["--once"], "--once writes files, and none is named"],
  [["--port", "0", "--private-loopback", "--once"], "--once writes files, and none is named"],
  [[], "nobody would get a login"],
  [["--check"], "nobody would get a login"],
  [["--health", "0", "--health-token", "token"], "nobody would get a login"],
])("agent orders/readonly %j has nothing to do, and says so", async (options, words) => {
  const ran = await mayflyHere(["agent", "orders/readonly", ...options], LEASE);
  expect(ran).toMatchObject({ status: 64, out: "" });
  expect(ran.err).toMatch(words);
  expect(ran.err.length).toBeLessThanOrEqual(160);
});

test.each(["agent", "exec"])("the help of %s shows no empty lists", async (command) => {
  const ran = await mayflyHere([command, "--help"], {});
  expect(ran).toMatchObject({ status: 0, err: "" });
  expect(ran.out).toMatch(/--file <format:path>/);
  expect(ran.out).toMatch(/\(default:\s+Mayfly\)/);
  expect(ran.out).not.toMatch("[]");
});
