import { expect, test } from "vitest";
import { pathsOf, problemAt, problemsOf, withRole } from "./sample-config.ts";

const DURATION = 'is not a duration; write a number and s, m, h or d, e.g. "1h"';
const FORM = 'is not a target; write "schema.*" or "schema.table", e.g. "public.*"';
const SPACED =
  'begins or ends with a space, or has a control character; write "schema.*" or "schema.table", e.g. "public.*"';
const QUOTED =
  'is quoted; write names as PostgreSQL stores them, without quotes, e.g. "public.Orders"; what has a quote or a dot in its name is only in "schema.*"';
const NO_SCHEMA = 'names no schema; write a target for each schema, e.g. "public.*", "billing.*"';
const SYSTEM =
  "is in a system schema of PostgreSQL; remove it: everybody can read the public objects there, and Mayfly grants nothing else";
const ROLE_AT = "databases.orders.roles.ro";

test.each<[string, unknown, string]>([
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
    `${ROLE_AT}.select[0]: "orders" ${FORM}`,
  ],
  [
    "a target of three parts",
    withRole({ select: ["a.b.c"] }),
    `${ROLE_AT}.select[0]: "a.b.c" ${FORM}`,
  ],
  [
    "a target named twice",
    withRole({ select: ["a.b", "a.b"] }),
    `${ROLE_AT}.select[1]: "a.b" is there twice; remove one`,
  ],
  ...[
    [`"public".*`, QUOTED],
    [`public."Orders"`, QUOTED],
    ["'public'.*", QUOTED],
    ["*.*", NO_SCHEMA],
    ["pub*.*", NO_SCHEMA],
    ["pg_catalog.*", SYSTEM],
    ["pg_catalog.pg_authid", SYSTEM],
    ["information_schema.*", SYSTEM],
    ["pg_toast.*", SYSTEM],
    ["pg_temp.t", SYSTEM],
    ["pg_temp_3.*", SYSTEM],
    [".orders", FORM],
    ["public.", FORM],
    [".", FORM],
    ["public. orders", SPACED],
    [" public.*", SPACED],
    ["public.* ", SPACED],
    ["public.a\nb", SPACED],
    ["public.aws*", 'is a pattern; write "schema.*", or each table by its whole name'],
  ].map(
    ([target, fault]) =>
      [
        `the target ${target}`,
        withRole({ select: [target] }),
        `${ROLE_AT}.select[0]: ${JSON.stringify(target)} ${fault}`,
      ] as [string, unknown, string],
  ),
  ...[
    ["billing.audit", 'is in no target of this role; remove it, or grant "billing.*"'],
    ["public.*", "is a pattern; list single tables, or take public.* out of the privileges"],
    ["pg_catalog.pg_class", SYSTEM],
    ["public", FORM],
  ].map(
    ([target, fault]) =>
      [
        `the exception ${target}`,
        withRole({ except: [target] }),
        `${ROLE_AT}.except[0]: ${JSON.stringify(target)} ${fault}`,
      ] as [string, unknown, string],
  ),
  [
    "an exception that the same privilege names",
    withRole({ select: ["public.*", "public.audit"], except: ["public.audit"] }),
    `${ROLE_AT}.except[0]: "public.audit" is also named in select; remove it from one of the two`,
  ],
  [
    "no exception in a list of them",
    withRole({ except: [] }),
    `${ROLE_AT}.except: [] is not a list of at least one; list tables, e.g. ["public.audit"], or remove it`,
  ],
  [
    "a limit of 0 leases",
    withRole({ maxLeases: 0 }),
    `${ROLE_AT}.maxLeases: 0 is not a whole number from 1 to 100000; write one`,
  ],
  [
    "more for one consumer than for all",
    withRole({ maxLeases: 5, maxLeasesPerConsumer: 6 }),
    `${ROLE_AT}.maxLeasesPerConsumer: 6 is not a whole number from 1 to 5; write one`,
  ],
])("refuses %s, naming place, value and remedy", (_what, config, problem) => {
  expect(problemsOf(config)).toEqual([problem]);
});

test.each<[string, object]>([
  ["allowCreate", { allowCreate: "yes" }],
  ["maxLeases", { maxLeases: 1.5 }],
  ["connectionLimit", { connectionLimit: 0 }],
])("refuses a wrong %s, naming place and value", (key, change) => {
  const value = Object.values(change)[0];
  expect(problemsOf(withRole(change))).toEqual([problemAt(`${ROLE_AT}.${key}`, value)]);
});

test("refuses an unknown key in a role", () => {
  expect(pathsOf(withRole({ truncate: [] }))).toEqual([`${ROLE_AT}.truncate`]);
});

test.each([
  ["10s", "10s"],
  ["60m", "1h"],
  ["32d", "32d"],
])("accepts a ttl of %s under a maximum of %s", (ttl, maxTtl) => {
  expect(problemsOf(withRole({ ttl, maxTtl }))).toEqual([]);
});

test.each([
  { select: ["Public.Orders", "pgdata.*", "public.*"] },
  { except: ["public.audit"] },
  // a log that is only written to
  { insert: ["public.audit"], except: ["public.audit"] },
  { allowCreate: true },
])("accepts %j", (change) => {
  expect(problemsOf(withRole(change))).toEqual([]);
});
