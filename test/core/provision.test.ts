import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseProvisionPlan } from "../../core/provisioning/parse-plan.ts";
import type { ProvisionPlan } from "../../core/provisioning/plan.ts";
import { wantedPrivileges, wantedSchemas } from "../../core/provisioning/privileges.ts";
import { wantedMemberships, wantedRoles } from "../../lambda/postgres/provisioning/wanted-roles.ts";

const plan: ProvisionPlan = {
  database: "orders",
  tag: "abcd",
  shards: 2,
  tls: "verify-full",
  owner: "app_owner",
  databases: ["orders"],
  maintenanceDatabase: "mayfly",
  loginConnectionLimit: 12,
  roles: {
    readonly: {
      groupRole: "mf_abcd_group_readonly",
      privileges: { select: ["public.*", "audit.log"], usage: ["public.*"] },
      ttlSeconds: 3_600,
      maxTtlSeconds: 86_400,
      maxLeases: 100,
      maxLeasesPerConsumer: 20,
      connectionLimit: 5,
    },
  },
  grants: [{ consumer: "reporting", role: "readonly" }],
};

test("a plan is read from its JSON", () => {
  expect(parseProvisionPlan(JSON.stringify(plan))).toEqual(plan);
});

test.each([
  [
    "database",
    "Or ders",
    `database must be the database's name in the configuration, got "Or ders"`,
  ],
  ["grants", undefined, "grants must be a list of consumer and role, got undefined"],
  [
    "grants",
    [{ consumer: "a--b", role: "r" }],
    'grants must be a list of consumer and role, got [{"consumer":"a--b","role":"r"}]',
  ],
  ["tag", "toolong", 'tag must be 4 base32 characters, got "toolong"'],
  ["shards", 0, "shards must be a whole number from 1 to 1024, got 0"],
  ["shards", 1_025, "shards must be a whole number from 1 to 1024, got 1025"],
  ["shards", "2", 'shards must be a whole number from 1 to 1024, got "2"'],
  ["tls", "prefer", 'tls must be verify-full or plaintext, got "prefer"'],
  ["ca", 7, "ca must be PEM text, got 7"],
  ["owner", "", `owner must be a role's name, got ""`],
  ["owner", "é".repeat(32), `owner must be a role's name, got "${"é".repeat(32)}"`],
  ["databases", [], "databases must be a list of database names, got []"],
  ["loginConnectionLimit", -1, "loginConnectionLimit must be a whole number above 0, got -1"],
  ["roles", {}, "roles must be an object with a role or more, got {}"],
  ["roles", { "NO!": {} }, "roles.NO! is no name of a dynamic role"],
  ["roles", { ender: {} }, "roles.ender is no name of a dynamic role"],
  ["roles", { issuer: {} }, "roles.issuer is no name of a dynamic role"],
  [
    "roles",
    { r: { groupRole: "g", privileges: { truncate: ["public.*"] } } },
    "roles.r.privileges.truncate is not known",
  ],
  [
    "roles",
    { r: { groupRole: "g", privileges: { select: ["orders"] } } },
    'roles.r.privileges.select must be a list of schema.* or schema.name, got ["orders"]',
  ],
])("a plan with a wrong %s (%j) is refused", (key, value, problem) => {
  expect(() => parseProvisionPlan(JSON.stringify({ ...plan, [key]: value }))).toThrow(
    `- ${problem}`,
  );
});

const { readonly } = plan.roles;

describe("a plan's role", () => {
  const numbers = fc.constantFrom(
    "ttlSeconds",
    "maxTtlSeconds",
    "maxLeases",
    "maxLeasesPerConsumer",
    "connectionLimit",
  );
  const parse = (key: string, value: unknown) =>
    parseProvisionPlan(
      JSON.stringify({ ...plan, roles: { readonly: { ...readonly, [key]: value } } }),
    );

  test("may have any number in the table of what may be issued that a column of it holds", () => {
    fc.assert(
      fc.property(numbers, fc.integer({ min: 1, max: 2 ** 31 - 1 }), (key, value) => {
        expect(parse(key, value).roles.readonly).toEqual({ ...readonly, [key]: value });
      }),
    );
  });

  test("is refused by the number's name for anything else", () => {
    const isFine = (value: unknown) =>
      Number.isInteger(value) && Number(value) >= 1 && Number(value) < 2 ** 31;
    const values = fc.oneof(
      fc.constantFrom<unknown>(undefined, 0, -1, 2 ** 31, 1.5, null, "60", [60], true),
      fc.double(),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(numbers, values, (key, value) => {
        fc.pre(!isFine(value));
        expect(() => parse(key, value)).toThrow(
          `- roles.readonly.${key} must be a whole number above 0`,
        );
      }),
    );
  });
});

test.each([undefined, "", "[]", "null", "{", 7])("no plan at all (%j) is refused", (text) => {
  expect(() => parseProvisionPlan(text)).toThrow("it is not a JSON object");
});

const single = { strategy: "single-user", usernames: ["reports"], group: "app_owner" };

test("a plan with rotated users is read", () => {
  const rotatedUsers = {
    reports: { ...single, group: "mf_abcd_group_readonly" },
    writer: { strategy: "alternating-users", usernames: ["a", "b"], group: "app_owner" },
  };
  expect(parseProvisionPlan(JSON.stringify({ ...plan, rotatedUsers }))).toMatchObject({
    rotatedUsers,
  });
});

test.each([
  [[], "rotatedUsers must be an object, got []"],
  [{ issuer: single }, "rotatedUsers.issuer is no name of a rotated secret"],
  [{ "No!": single }, "rotatedUsers.No! is no name of a rotated secret"],
  [{ r: 7 }, "rotatedUsers.r.strategy must be single-user or alternating-users"],
  [
    { r: { ...single, strategy: "master-user" } },
    "rotatedUsers.r.strategy must be single-user or alternating-users",
  ],
  [
    { r: { ...single, usernames: ["a", "b"] } },
    "rotatedUsers.r.usernames must be 1, none of them reserved",
  ],
  [
    { r: { ...single, strategy: "alternating-users" } },
    "rotatedUsers.r.usernames must be 2, none of them reserved",
  ],
  [
    { r: { ...single, usernames: ["mf_abcd_login_a"] } },
    "rotatedUsers.r.usernames must be 1, none of them reserved",
  ],
  [
    { r: { ...single, group: "mf_abcd_issuer_aa" } },
    "rotatedUsers.r.group must be a dynamic role's group, or a role that is not Mayfly's",
  ],
  [
    { r: { ...single, usernames: ["app_owner"] } },
    'rotatedUsers.r.usernames has "app_owner", which is taken',
  ],
  [{ r: single, s: single }, 'rotatedUsers.s.usernames has "reports", which is taken'],
])("a plan with the rotated users %j is refused", (rotatedUsers, problem) => {
  expect(() => parseProvisionPlan(JSON.stringify({ ...plan, rotatedUsers }))).toThrow(
    `- ${problem}`,
  );
});

test("every problem of a plan is reported", () => {
  expect(() => parseProvisionPlan(JSON.stringify({ ...plan, tag: "", shards: 0 }))).toThrow(
    /- tag must.*\n- shards must/,
  );
});

test("privileges are listed one by one, sequences with the SELECT that currval needs", () => {
  const one = { groupRole: "mf_abcd_group_readonly" };
  expect(wantedPrivileges(plan)).toEqual([
    { ...one, kind: "table", privilege: "SELECT", schema: "public", name: null },
    { ...one, kind: "table", privilege: "SELECT", schema: "audit", name: "log" },
    { ...one, kind: "sequence", privilege: "USAGE", schema: "public", name: null },
    { ...one, kind: "sequence", privilege: "SELECT", schema: "public", name: null },
  ]);
  expect(wantedSchemas(wantedPrivileges(plan))).toEqual([
    { ...one, schema: "public" },
    { ...one, schema: "audit" },
  ]);
});

test("only issuer roles may create roles, and only logins may log in", () => {
  const roles = wantedRoles(plan);
  const names = (of: (role: (typeof roles)[number]) => boolean) =>
    roles.filter(of).map(({ name }) => name);
  expect(names(({ createRole }) => createRole)).toEqual(["mf_abcd_issuer_aa", "mf_abcd_issuer_ab"]);
  expect(names(({ login }) => login)).toEqual([
    "mf_abcd_login_a",
    "mf_abcd_login_b",
    "mf_abcd_janitor",
  ]);
  expect(roles.filter(({ login }) => login).map((role) => role.connectionLimit)).toEqual([
    12, 12, 12,
  ]);
});

test("only who ends sessions has the rights of what it is a member of, and it cannot log in", () => {
  expect(
    wantedRoles(plan)
      .filter(({ inherit }) => inherit)
      .map(({ name, login, createRole }) => ({ name, login, createRole })),
  ).toEqual([{ name: "mf_abcd_ender", login: false, createRole: false }]);
});

test("each shard administers each group, the ender may signal, logins and janitor are members of nothing", () => {
  const memberships = wantedMemberships(plan).map(({ role, member, use }) =>
    `${member} ${use} ${role}`.replaceAll("mf_abcd_", ""),
  );
  expect(memberships).toEqual([
    "issuer_aa administer group_readonly",
    "issuer_ab administer group_readonly",
    "ender inherit pg_signal_backend",
  ]);
});
