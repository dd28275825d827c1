import { expect, test } from "vitest";
import { problemsOf, withRole } from "./sample-config.ts";

const DURATION = 'is not a duration; write a number and s, m, h or d, e.g. "1h"';
const ROLE_AT = "databases.orders.roles.ro";

test.each<[string, unknown, string]>([
  [
    "an unknown key in a role",
    withRole({ truncate: [] }),
    `${ROLE_AT}.truncate: unknown key; known are select, insert, update, delete, usage, ttl, maxTtl, maxLeases, maxLeasesPerConsumer, connectionLimit`,
  ],
  ["a ttl without meaning", withRole({ ttl: "90x" }), `${ROLE_AT}.ttl: "90x" ${DURATION}`],
  ["a ttl of a number", withRole({ ttl: 3600 }), `${ROLE_AT}.ttl: 3600 ${DURATION}`],
  ["a negative ttl", withRole({ ttl: "-1s" }), `${ROLE_AT}.ttl: "-1s" ${DURATION}`],
  [
    "no ttl",
    withRole({ ttl: undefined }),
    `${ROLE_AT}.ttl: missing; write a number and s, m, h or d, e.g. "1h"`,
  ],
  [
    "a ttl of 9 seconds",
    withRole({ ttl: "9s" }),
    `${ROLE_AT}.ttl: "9s" is shorter than 10 seconds; write at least "10s"`,
  ],
  [
    "a ttl above the maximum",
    withRole({ ttl: "2h", maxTtl: "1h" }),
    `${ROLE_AT}.ttl: "2h" is longer than maxTtl ("1h"); lower ttl or raise maxTtl`,
  ],
  [
    "a maximum of 33 days",
    withRole({ maxTtl: "33d" }),
    `${ROLE_AT}.maxTtl: "33d" is longer than 32 days; write at most "32d"`,
  ],
  [
    "no privilege",
    withRole({ select: undefined }),
    `${ROLE_AT}: no privilege; add at least one of select, insert, update, delete, usage, e.g. select: ["public.*"]`,
  ],
  [
    "an empty privilege",
    withRole({ select: [] }),
    `${ROLE_AT}.select: [] is not a list of at least one; list targets, e.g. ["public.*"]`,
  ],
  [
    "a target without schema",
    withRole({ select: ["orders"] }),
    `${ROLE_AT}.select[0]: "orders" is not a target; write "schema.*" or "schema.table", e.g. "public.*"`,
  ],
  [
    "a target of three parts",
    withRole({ select: ["a.b.c"] }),
    `${ROLE_AT}.select[0]: "a.b.c" is not a target; write "schema.*" or "schema.table", e.g. "public.*"`,
  ],
  [
    "a target named twice",
    withRole({ select: ["a.b", "a.b"] }),
    `${ROLE_AT}.select[1]: "a.b" is there twice; remove one`,
  ],
  [
    "a limit of 0 leases",
    withRole({ maxLeases: 0 }),
    `${ROLE_AT}.maxLeases: 0 is not a whole number from 1 to 100000; write one`,
  ],
  [
    "half a lease",
    withRole({ maxLeases: 1.5 }),
    `${ROLE_AT}.maxLeases: 1.5 is not a whole number from 1 to 100000; write one`,
  ],
  [
    "more for one consumer than for all",
    withRole({ maxLeases: 5, maxLeasesPerConsumer: 6 }),
    `${ROLE_AT}.maxLeasesPerConsumer: 6 is not a whole number from 1 to 5; write one`,
  ],
  [
    "no connection",
    withRole({ connectionLimit: 0 }),
    `${ROLE_AT}.connectionLimit: 0 is not a whole number from 1 to 10000; write one`,
  ],
])("refuses %s, naming place, value and remedy", (_what, config, problem) => {
  expect(problemsOf(config)).toEqual([problem]);
});

test.each([
  ["10s", "10s"],
  ["60m", "1h"],
  ["32d", "32d"],
])("accepts a ttl of %s under a maximum of %s", (ttl, maxTtl) => {
  expect(problemsOf(withRole({ ttl, maxTtl }))).toEqual([]);
});
