import { expect, test } from "vitest";
import { judgeServer, type ServerMark } from "../../core/leases/server.ts";
import { hasOutlived, NO_STACK } from "../../core/provisioning/stack.ts";

const mark = (instance: string, timeline?: number): ServerMark => ({
  instance,
  ...(timeline !== undefined && { timeline }),
});

test.each<[string, ServerMark | undefined, ServerMark, string]>([
  ["nothing stamped", undefined, mark("db-A", 1), "unknown"],
  ["the same", mark("db-A", 1), mark("db-A", 1), "same"],
  ["another instance", mark("db-A", 1), mark("db-B", 1), "other"],
  ["a raised timeline", mark("db-A", 1), mark("db-A", 2), "other"],
  ["a timeline that was set back, as by pg_upgrade", mark("db-A", 3), mark("db-A", 1), "other"],
  ["no timeline stamped", mark("db-A"), mark("db-A", 2), "same"],
  ["no timeline seen", mark("db-A", 2), mark("db-A"), "same"],
  ["another instance without timelines", mark("db-A"), mark("db-B"), "other"],
])("a server with %s is judged", (_, stamped, seen, verdict) => {
  expect(judgeServer({ ...(stamped && { stamped }), seen })).toBe(verdict);
});

const stack = (name: string, end: string, account = "111122223333", region = "eu-west-1"): string =>
  `arn:aws:cloudformation:${region}:${account}:stack/${name}/${end}`;
const NEW = stack("Mayfly", "0b2c-2");

test.each<[string, string, boolean]>([
  ["of the same name", stack("Mayfly", "9f1d-1"), true],
  ["that was set free", NO_STACK, true],
  ["of another name", stack("Mayfly2", "9f1d-1"), false],
  ["whose name begins the same", stack("May", "9f1d-1"), false],
  ["of another account", stack("Mayfly", "9f1d-1", "444455556666"), false],
  ["of another Region", stack("Mayfly", "9f1d-1", undefined, "eu-west-2"), false],
  ["that is not a stack ARN", "arn:another", false],
])("the tag of a stack %s is taken over, or not", (_, former, expected) => {
  expect(hasOutlived(NEW, former)).toBe(expected);
});

test("text that is not a stack's id outlives no stack", () => {
  expect(hasOutlived("arn:another", "arn:another2")).toBe(false);
  expect(hasOutlived("arn:another", stack("Mayfly", "9f1d-1"))).toBe(false);
});
