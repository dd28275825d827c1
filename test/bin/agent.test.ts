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

const FILES = { files: [{ path: "/run/db.env", from: "orders/readonly", format: "env" }] };

test("a container's configuration is in a variable", async () => {
  const text = JSON.stringify({ leases: { "orders/readonly": {} }, ...FILES });
  const check = (config: string, ...options: readonly string[]) =>
    mayflyHere(["agent", "--check", ...options], { ...LEASE, MAYFLY_AGENT_CONFIG: config });
  expect(await check(text)).toEqual({
    status: 0,
    out: "MAYFLY_AGENT_CONFIG: 1 login, 1 file, no problem\n",
    err: "",
  });
  const wrong = JSON.stringify({ leases: { "orders/readonly": { ttl: "1s" } }, files: [{}] });
  const problems = await check(wrong);
  expect(problems).toMatchObject({ status: 78, out: "" });
  expect(problems.err).toMatch(/^mayfly: MAYFLY_AGENT_CONFIG\n.*ttl.*\n(?:.*\n)*files\[0\]/);
  expect((await check("{")).err).toBe(
    "mayfly: MAYFLY_AGENT_CONFIG is no JSON (at position 1 (line 1 column 2)); correct it\n",
  );
  expect((await check(" \n")).err).toMatch("MAYFLY_AGENT_CONFIG is empty; write");
  const both = await check(text, "--socket", "/run/db");
  expect(both.status).toBe(64);
  expect(both.err).toBe(
    "mayfly: MAYFLY_AGENT_CONFIG has everything in it; leave out the lease and its options, or MAYFLY_AGENT_CONFIG\n",
  );
});

test("a lease or a file that is named comes before the variable", async () => {
  const env = { ...LEASE, MAYFLY_AGENT_CONFIG: "{" };
  const named = await mayflyHere(["agent", "orders/readonly", "--socket", "/s", "--check"], env);
  expect(named).toMatchObject({
    status: 0,
    out: "orders/readonly: 1 login, 0 files, no problem\n",
  });
  const file = await mayflyHere(["agent", "--config", "/no/agent.json", "--check"], env);
  expect(file.err).toMatch("--config: cannot read /no/agent.json (ENOENT)");
});
