import pg from "pg";
import { beforeAll, expect, test } from "vitest";
import { invoke } from "../../local/clients.ts";
import { eventually } from "../../support/eventually.ts";
import { mayfly, type Ran, shellOf } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

const NOTHING = {
  rolesMade: 0,
  rolesCorrected: 0,
  rolesDropped: 0,
  membershipsGranted: 0,
  passwordsSet: 0,
  privilegesGranted: 0,
  privilegesWithdrawn: 0,
  watchesBegun: 0,
  watchesEnded: 0,
  leasesRevoked: 0,
  leasesQuarantined: 0,
  warnings: [],
};

let stack: ShippedStack;
let administrator: Record<string, string>;
let group: string;

beforeAll(async () => {
  stack = await sharedShipped();
  // a converge that meets the administrator's rotation begins anew, and counts from there
  await stack.runner.rotations.finished();
  administrator = shellOf(stack.runner, "administrator");
  const [row] = await stack.superuser(
    "select rolname from pg_roles where rolname like 'mf\\_%\\_group\\_readonly'",
  );
  group = String(row?.rolname);
});

const converge = (...args: string[]): Promise<Ran> => mayfly(["converge", ...args], administrator);

/** Audit lines of the operator function, by event. */
const auditOf = (event: string): Record<string, unknown>[] =>
  stack.runner
    .logs()
    .filter(({ functionName }) => functionName.endsWith("-operator"))
    .flatMap(({ line }) => (line.includes(`"${event}"`) ? [JSON.parse(line)] : []));

test("converge repairs what a DBA changed by hand, covers a new table, and reports both", async () => {
  const credential = await stack.issue();
  const client = await stack.logIn(credential);
  await stack.superuser(`set role app_owner; revoke select on public.orders from ${group};
    grant delete on public.orders to ${group}`);
  await stack.superuser("create table public.by_hand (id int)");
  await stack.superuser("alter table public.by_hand owner to app_owner");
  await expect(client.query("select from public.orders")).rejects.toThrow(/permission denied/);

  const { status, out, err } = await converge();
  expect({ status, err }).toEqual({ status: 0, err: "" });
  // select on orders for readonly; select, insert and update on by_hand for both groups
  expect(out.split("\n")).toEqual([
    "roles made            0",
    "roles corrected       0",
    "roles dropped         0",
    "memberships granted   0",
    "passwords set         0",
    "privileges granted    5",
    "privileges withdrawn  1",
    "watches begun         0",
    "watches ended         0",
    "leases revoked        0",
    "leases in quarantine  0",
    "",
  ]);
  await client.query("select from public.orders; select from public.by_hand");
  await expect(client.query("delete from public.orders")).rejects.toThrow(/permission denied/);
  await client.end();

  const again = await converge("--json");
  expect(again).toMatchObject({ status: 0, err: "" });
  expect(JSON.parse(again.out)).toEqual(NOTHING);
  const requested = auditOf("converge.requested");
  const converged = auditOf("database.converged");
  expect(converged).toMatchObject([
    { ...NOTHING, actor: "operator", privilegesGranted: 5, privilegesWithdrawn: 1 },
    { ...NOTHING, actor: "operator" },
  ]);
  const ids = (lines: Record<string, unknown>[]) =>
    lines.map(({ function_request_id: id }) => String(id));
  expect(ids(requested)).toEqual(ids(converged));
});

test("converge revokes a lease of a consumer that left the configuration", async () => {
  const { username } = await stack.issue();
  const former = username.replace("_user-service_", "_former_");
  await stack.superuser(
    `alter role "${username}" rename to "${former}"; comment on role "${former}" is
     '{"v":1,"consumer":"former","role":"readonly","issued":1,"max":4102444800000}'`,
  );
  const { status, out } = await converge("--json");
  expect(status).toBe(0);
  expect(JSON.parse(out)).toEqual({ ...NOTHING, leasesRevoked: 1 });
  const left = await stack.superuser(`select from pg_roles where rolname = '${former}'`);
  expect(left).toEqual([]);
});

test("the provisioner's refusal is printed with the SQL for a DBA, and the status is 78", async () => {
  await stack.superuser("create table public.foreign_one ()");
  const { status, out, err } = await converge();
  expect({ status, out }).toEqual({ status: 78, out: "" });
  expect(err).toMatch(/^mayfly: ConfigError: .*\n- in database "orders": .*\n$/);
  expect(err).toContain(
    'GRANT insert, select, update ON TABLE "public"."foreign_one" TO "app_owner" WITH GRANT OPTION',
  );
  await stack.superuser("drop table public.foreign_one");
});

test("while something else runs the provisioner, it is busy: the status is 75", async () => {
  const holder = new pg.Client(stack.runner.database.superuser("mayfly"));
  await holder.connect();
  try {
    await holder.query("begin; lock table mayfly.stack in access exclusive mode");
    const alias = stack.operatorArn.replace(/operator$/, "provisioner:converge");
    const operator = stack.as("ordersFunctionsOperatorRole");
    const first = invoke(operator, alias, { action: "converge" });
    await eventually(async () => {
      const [row] = await stack.superuser(
        "select count(*)::int as n from pg_locks where not granted",
      );
      return Number(row?.n) > 0;
    });
    const { status, out, err } = await converge();
    expect({ status, out }).toEqual({ status: 75, out: "" });
    expect(err).toMatch(/^mayfly: ProvisionerUnavailableError: /);
    await holder.query("rollback");
    expect((await first).answer).toEqual(NOTHING);
  } finally {
    await holder.end();
  }
});

test("converge has no fields, and a consumer may not call it", async () => {
  const { answer } = await stack.operate({ action: "converge", database: "orders" });
  expect(answer).toMatchObject({ errorType: "InvalidRequestError" });
  const userService = shellOf(stack.runner, stack.runner.outputs.UserServiceRoleArn ?? "");
  const { status } = await mayfly(["converge", "--function", stack.operatorArn], userService);
  expect(status).toBe(77);
});
