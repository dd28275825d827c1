import { expect, test } from "vitest";
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

const { readonly } = plan.roles;
const user = { strategy: "single-user", usernames: ["reports"], group: "app_owner" };

test.each<[string, object]>([
  ["grants", { grants: undefined }],
  ["grants.0.role", { grants: [{ consumer: "a" }] }],
  ["shards", { shards: "2" }],
  ["tls", { tls: "prefer" }],
  ["ca", { ca: 7 }],
  ["databases", { databases: "orders" }],
  ["roles", { roles: [] }],
  ["roles.r", { roles: { r: 7 } }],
  ["roles.r.ttlSeconds", { roles: { r: { ...readonly, ttlSeconds: "1h" } } }],
  ["roles.r.maxLeases", { roles: { r: { ...readonly, maxLeases: undefined } } }],
  ["roles.r.allowCreate", { roles: { r: { ...readonly, allowCreate: "yes" } } }],
  ["roles.r.privileges.truncate", { roles: { r: { ...readonly, privileges: { truncate: [] } } } }],
  ["roles.r.privileges.select.0", { roles: { r: { ...readonly, privileges: { select: [7] } } } }],
  ["rotatedUsers", { rotatedUsers: [] }],
  ["rotatedUsers.r.strategy", { rotatedUsers: { r: { ...user, strategy: "master-user" } } }],
  ["rotatedUsers.r.usernames", { rotatedUsers: { r: { ...user, usernames: "reports" } } }],
  ["shards, actAs", { shards: undefined, actAs: true }],
])("a plan of another version is refused by the fields that do not fit: %s", (paths, change) => {
  expect(() => parseProvisionPlan(JSON.stringify({ ...plan, ...change }))).toThrow(
    `the property Plan does not fit this function (${paths}): they are of two versions; deploy the whole stack again`,
  );
});

test.each([undefined, "", "[]", "null", "{", 7])("no plan at all (%j) is refused", (text) => {
  expect(() => parseProvisionPlan(text, "plan.json")).toThrow(
    "plan.json does not fit this function (it is not a JSON object)",
  );
});

test("a plan with rotated users is read", () => {
  const rotatedUsers = {
    reports: { ...user, group: "mf_abcd_group_readonly" },
    writer: { strategy: "alternating-users", usernames: ["a", "b"], group: "app_owner" },
  };
  expect(parseProvisionPlan(JSON.stringify({ ...plan, rotatedUsers }))).toMatchObject({
    rotatedUsers,
  });
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

test("only the role that ends sessions inherits privileges, and it cannot log in", () => {
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
