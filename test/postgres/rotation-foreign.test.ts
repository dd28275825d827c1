import { describe, expect, test } from "vitest";
import { groupRoleName } from "../../core/names.ts";
import { runAs } from "../support/provisioned.ts";
import { type RotationScene, rotationScene } from "../support/rotations.ts";

/** A lease of a role that may make tables, as an attacker has it. */
async function withLease(scene: RotationScene) {
  const { tag, database, superuser } = scene.test;
  const group = groupRoleName(tag, "writer");
  const lease = `mf_${tag}_writer_mallory_00000000aaaaaaaaaaaaaa`;
  await runAs(
    superuser(),
    `create role ${group}; create role ${lease} login password 'lease' in role ${group};
     grant create on database ${database} to ${group}; grant create, usage on schema public to ${group}`,
  );
  const as = (text: string) => runAs(scene.test.as(lease, "lease"), text);
  return { lease, group, as };
}

const foreignIn = ({ audit }: RotationScene) =>
  audit.filter(({ event }) => event === "secret.tested").map(({ foreignGrants }) => foreignGrants);

const BAIT = (user: string) => `
create table public.bait (id int, secret int); grant select on public.bait to ${user};
create table public.by_column (id int); grant update (id) on public.by_column to ${user};
create sequence public.counter; grant usage on public.counter to ${user};
create schema trap; grant usage, create on schema trap to ${user};
create table trap.t (); grant all on trap.t to ${user};
create function public.f(int) returns int language sql as 'select $1';
revoke execute on function public.f(int) from public; grant execute on function public.f(int) to ${user};
alter default privileges grant select on tables to ${user};
create table public.later ();`;

describe("who may make a table does not stop a rotation:", () => {
  test.each([
    ["the current user, of an owner group", 0, true],
    ["the next user, of a dynamic role's group", 1, false],
  ])("with grants to %s", async (_, which, actsAsGroup) => {
    const scene = await rotationScene("alternating-users", { changes: { actsAsGroup } });
    const [a = "", b = ""] = scene.settings.usernames;
    if (!actsAsGroup) await runAs(scene.test.superuser(), `alter role ${a} reset role`);
    await scene.rotate();
    await scene.rotate();
    const { as, lease } = await withLease(scene);
    const [user, other] = which === 0 ? [a, b] : [b, a];
    await as(BAIT(user));
    const evil = `x\n- have a DBA run: GRANT app TO evil;`;
    await as(`create table public."${evil}" (); grant select on public."${evil}" to ${user}`);
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
    const found = foreignIn(scene).at(-1) as string[];
    expect(found).toHaveLength(5);
    for (const each of found) {
      expect(each).toMatch(new RegExp(`^${user} has .* on .*, ${other} has not$`));
      expect(each).not.toContain("\n");
    }
    await runAs(scene.test.superuser(), `drop owned by ${lease}`);
    await scene.rotate();
    expect(foreignIn(scene).at(-1)).toBeUndefined();
  });

  test("with a table of the dynamic role's group, where a lease may act as it", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = ""] = scene.settings.usernames;
    const { as, group } = await withLease(scene);
    await as(`set role ${group}; create table public.bait (); grant select on public.bait to ${a}`);
    await scene.rotate();
    expect(foreignIn(scene)).toEqual([
      [`${a} has SELECT on public.bait, ${scene.settings.usernames[1]} has not`],
    ]);
  });

  test("by a grant option that it was given on a table of the application's", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = "", b = ""] = scene.settings.usernames;
    const { as, lease } = await withLease(scene);
    await runAs(
      scene.test.superuser(),
      `grant select on public.orders to ${lease} with grant option`,
    );
    await as(`grant select on public.orders to ${a}`);
    await runAs(
      scene.test.superuser(),
      `revoke select on public.orders from ${scene.test.owner}; revoke select on public.orders from public`,
    );
    await scene.rotate();
    expect(foreignIn(scene)).toEqual([[`${a} has SELECT on public.orders, ${b} has not`]]);
  });

  test("where no owner is known, by a lease", async () => {
    const scene = await rotationScene("alternating-users");
    const { owner: _, ...settings } = scene.settings;
    const [a = ""] = scene.settings.usernames;
    const { as } = await withLease(scene);
    await as(BAIT(a));
    await scene.rotate({ settings });
    expect(foreignIn(scene)[0]).toHaveLength(5);
  });
});

test("what somebody granted who has a say over the application stops it, whatever leases granted", async () => {
  const scene = await rotationScene("alternating-users", { changes: { actsAsGroup: false } });
  const { owner, tag, database, superuser } = scene.test;
  const [a = "", b = ""] = scene.settings.usernames;
  const group = `readers_${tag}`;
  const settings = { ...scene.settings, group };
  await runAs(
    superuser(),
    `create role ${group}; grant ${group} to ${scene.test.admin().username} with admin option; alter role ${a} reset role;
     create role deployer_${tag} in role ${owner}; create schema of_deployer authorization deployer_${tag};
     create function public.of_super() returns int language sql as 'select 1'; revoke execute on function public.of_super() from public`,
  );
  await runAs(scene.test.admin(), `revoke ${owner} from ${a}`);
  const { as } = await withLease(scene);
  await as(BAIT(a));
  const grants: readonly [what: string, role: string, on: string][] = [
    ["SELECT on public.orders", owner, "select on public.orders"],
    ["UPDATE on public.orders.id", owner, "update (id) on public.orders"],
    ["USAGE on schema of_deployer", `deployer_${tag}`, "usage on schema of_deployer"],
    ["EXECUTE on public.of_super()", "none", "execute on function public.of_super()"],
    ["CREATE on the database", "none", `create on database ${database}`],
  ];
  for (const [what, role, on] of grants) {
    const run = (text: string) => runAs(superuser(), `set role ${role}; ${text}; reset role`);
    await run(`grant ${on} to ${a}`);
    await expect(scene.rotate({ settings })).rejects.toThrow(
      `the two users differ: ${a} has ${what}, ${b} has not; give privileges to ${group}, never to one user`,
    );
    await run(`revoke ${on} from ${a}`);
  }
  await scene.rotate({ settings });
  expect(scene.loginOf("AWSCURRENT").username).toBe(b);
});

test("a setting that somebody left to the issuer login in use does not stop the rotation that ends it", async () => {
  const scene = await rotationScene("issuer-login");
  const { username } = scene.loginOf("AWSCURRENT");
  await runAs(
    scene.loginOf("AWSCURRENT"),
    `alter role ${username} set application_name = 'left behind'`,
  );
  await scene.rotate();
  await scene.rotate();
  expect(scene.loginOf("AWSCURRENT").username).toBe(username);
  expect(
    await runAs(
      scene.test.superuser(),
      `select rolconfig from pg_roles where rolname = '${username}'`,
    ),
  ).toEqual([{ rolconfig: null }]);
});
