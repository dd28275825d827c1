import { describe, expect, test } from "vitest";
import { ConfigError, InvalidRequestError } from "../../core/errors.ts";
import { ROTATION_STEPS } from "../../core/rotation/rotation-request.ts";
import type { RotationStrategy } from "../../core/rotation/settings.ts";
import { Secret } from "../../core/secret.ts";
import { parseSecretText, renderSecret } from "../../core/secret-text.ts";
import { connect } from "../../lambda/postgres/connection/login.ts";
import { fileCluster } from "../support/file-cluster.ts";
import { runAs, TEST_LIMITS } from "../support/provisioned.ts";
import { MASTER_ARN, type RotationScene, rotationScene } from "../support/rotations.ts";

const ALL: readonly RotationStrategy[] = [
  "single-user",
  "alternating-users",
  "master-user",
  "issuer-login",
];
const TAKING_TURNS: readonly RotationStrategy[] = ["alternating-users", "issuer-login"];

const passwordIn = ({ secret }: RotationScene, label: string) =>
  secret.valueOf(label)?.password?.reveal();

describe.each(ALL)("%s", (strategy) => {
  test("rotates three times: AWSCURRENT logs in, AWSPREVIOUS is what was current, AWSPENDING is gone", async () => {
    const scene = await rotationScene(strategy);
    for (let i = 0; i < 3; i++) {
      const before = scene.secret.valueOf("AWSCURRENT");
      await scene.rotate();
      expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
      expect(scene.secret.valueOf("AWSPREVIOUS")).toEqual(before);
      expect(scene.secret.valueOf("AWSPENDING")).toBeUndefined();
      expect(passwordIn(scene, "AWSCURRENT")).not.toBe(before?.password?.reveal());
      expect(await scene.refusalOf("AWSPREVIOUS")).toBe(
        TAKING_TURNS.includes(strategy) ? undefined : "28P01",
      );
    }
    expect(scene.audit.map(({ event }) => event)).toEqual(
      [1, 2, 3].flatMap(() => ["secret.created", "secret.set", "secret.tested", "secret.rotated"]),
    );
  });

  test("leaves open sessions alone, but for those of an issuer login whose password it changes", async () => {
    const scene = await rotationScene(strategy);
    const client = await connect(scene.loginOf("AWSCURRENT"), TEST_LIMITS);
    await scene.rotate();
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    await scene.rotate();
    const isAlive = await client.query("select 1 as one").then(
      () => true,
      () => false,
    );
    expect(isAlive).toBe(strategy !== "issuer-login");
    await client.end().catch(() => {});
  });

  test("carries over keys that it does not know, and changes nothing but the login", async () => {
    const scene = await rotationScene(strategy, { value: { team: "billing", tags: ["a"] } });
    const { username: _, password: __, ...before } = scene.secret.valueOf("AWSCURRENT") ?? {};
    await scene.rotate();
    const { username: ___, password: ____, ...after } = scene.secret.valueOf("AWSCURRENT") ?? {};
    expect(after).toEqual(before);
    const known = strategy === "issuer-login" ? {} : { team: "billing", tags: ["a"] };
    expect(after).toMatchObject(known);
  });

  test("finds each step done when it is repeated", async () => {
    const scene = await rotationScene(strategy);
    const token = scene.secret.begin();
    let password: string | undefined;
    for (const step of ROTATION_STEPS) {
      await scene.step(step);
      if (step === "finishSecret") break;
      password ??= passwordIn(scene, "AWSPENDING");
      await scene.step(step);
      expect(passwordIn(scene, "AWSPENDING")).toBe(password);
    }
    expect(passwordIn(scene, "AWSCURRENT")).toBe(password);
    expect(scene.secret.labels().get(token)).toEqual(["AWSCURRENT"]);
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("tests a copy of the current version when only the configuration is to be tested", async () => {
    const scene = await rotationScene(strategy);
    scene.secret.beginProbe();
    expect(await scene.step("testSecret")).toMatchObject({ outcome: "done" });
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("does not promote a password that the server does not know, in whatever order steps come", async () => {
    for (const steps of [
      ["setSecret"],
      ["testSecret"],
      ["finishSecret"],
      ["createSecret", "testSecret"],
      ["createSecret", "finishSecret"],
    ] as const) {
      const scene = await rotationScene(strategy);
      const before = passwordIn(scene, "AWSCURRENT");
      const last = steps.at(-1) ?? "setSecret";
      for (const step of steps.slice(0, -1)) await scene.step(step);
      const failure = await scene.step(last).catch((error: unknown) => error);
      const expected = steps.length === 1 ? InvalidRequestError : ConfigError;
      expect({ steps, failure }).toEqual({ steps, failure: expect.any(expected) });
      expect((failure as Error).message).toContain(scene.secret.arn);
      expect(passwordIn(scene, "AWSCURRENT")).toBe(before);
      expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
      await scene.rotate();
      expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
    }
  });

  test("says success for a version that is current already, and takes AWSPENDING off it", async () => {
    const scene = await rotationScene(strategy);
    const token = scene.secret.begin();
    await scene.rotate();
    await scene.secret.secrets.moveLabel(scene.secret.arn, "AWSPENDING", { to: token });
    const connections = scene.connections();
    for (const step of ROTATION_STEPS)
      expect(await scene.step(step, {}, token)).toMatchObject({ outcome: "current already" });
    expect(scene.connections()).toBe(connections);
    expect(scene.secret.labels().get(token)).toEqual(["AWSCURRENT"]);
  });
});

describe("single-user", () => {
  test("sets the password with at most two connections, refused ones included", async () => {
    const scene = await rotationScene("single-user");
    await scene.step("createSecret");
    const before = scene.connections();
    await scene.step("setSecret");
    expect(scene.connections() - before).toBe(2);
  });

  test("falls back on AWSPREVIOUS when the current password is not the server's", async () => {
    const scene = await rotationScene("single-user");
    await scene.rotate();
    const known = scene.secret.valueOf("AWSCURRENT");
    scene.secret.put({ ...known, password: new Secret("never was set") });
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("changes nothing when no version is let in, and says which were tried", async () => {
    const scene = await rotationScene("single-user");
    const { username } = scene.loginOf("AWSCURRENT");
    await runAs(scene.test.superuser(), `alter role ${username} password 'set by hand'`);
    await scene.step("createSecret");
    await expect(scene.step("setSecret")).rejects.toThrow(
      /accepts no login of AWSPENDING \(code 28P01\) or AWSCURRENT \(code 28P01\) or AWSPREVIOUS \(no version of this user\), and nothing was changed; .*docs\/rotation\.md/,
    );
    await runAs(scene.test.as(username, "set by hand"), "select 1");
  });

  test("works for a user that acts as another role from the start of its sessions", async () => {
    const scene = await rotationScene("single-user");
    const { username } = scene.loginOf("AWSCURRENT");
    await runAs(scene.test.superuser(), `alter role ${username} set role = '${scene.test.owner}'`);
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("runs the configured queries as the new login, and undoes what they do", async () => {
    const insert = "insert into public.orders (customer, total_cents) values ('test', 1)";
    const scene = await rotationScene("single-user", {
      changes: { testQueries: [insert, "select 1"] },
    });
    const count = "select count(*)::int as count from public.orders";
    await runAs(scene.test.superuser(), `grant insert on public.orders to ${scene.test.owner}`);
    const before = await runAs(scene.test.superuser(), count);
    await scene.rotate();
    expect(await runAs(scene.test.superuser(), count)).toEqual(before);
  });

  test.each([
    ["select * from secret_plans", "42P01"],
    ["select 1; commit; select 2", "42601"],
  ])("refuses a login that cannot run %s", async (query, sqlState) => {
    const scene = await rotationScene("single-user", {
      changes: { testQueries: ["select 1", query] },
    });
    await expect(scene.rotate()).rejects.toThrow(
      new RegExp(
        `secret ${scene.secret.arn}, createSecret: the login cannot run testQueries\\[1\\] \\(code ${sqlState}\\)`,
      ),
    );
    expect(scene.secret.valueOf("AWSPENDING")).toBeUndefined();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
    await scene.rotate({ settings: { ...scene.settings, testQueries: [] } });
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("falls back on AWSPREVIOUS also when the secret was written anew for a server that has moved", async () => {
    const scene = await rotationScene("single-user");
    scene.secret.put({ ...scene.secret.valueOf("AWSCURRENT"), host: "before.example.com" });
    const { host, port } = scene.deps.server;
    const password = new Secret("CloudFormation made this one");
    scene.secret.put({ ...scene.secret.valueOf("AWSCURRENT"), host, port, password });
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });
});

test("a secret of bytes that JavaScript would not write rotates, and keeps them", async () => {
  const scene = await rotationScene("alternating-users");
  const { password, ...login } = scene.secret.valueOf("AWSCURRENT") ?? {};
  const [a = "", b = ""] = scene.settings.usernames;
  const text = `\uFEFF{ "accountId": 12345678901234567890, "ratio": 1.10,${JSON.stringify(login).slice(1, -1)},"password":"${password?.reveal()}" }\n`;
  scene.secret.put(parseSecretText(text) ?? {});
  await scene.rotate();
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  expect(renderSecret(scene.secret.valueOf("AWSCURRENT") ?? {})).toBe(
    text
      .replace(`"${a}"`, `"${b}"`)
      .replace(password?.reveal() ?? "", passwordIn(scene, "AWSCURRENT") ?? ""),
  );
});

describe("alternating-users", () => {
  test("sets the password with at most three connections, refused ones included", async () => {
    const scene = await rotationScene("alternating-users");
    for (let i = 0; i < 2; i++) {
      await scene.step("createSecret");
      const before = scene.connections();
      await scene.step("setSecret");
      expect(scene.connections() - before).toBe(3);
      await scene.step("testSecret");
      await scene.step("finishSecret");
    }
  });

  test("what one of the two makes, the other can read, change and drop", async () => {
    const scene = await rotationScene("alternating-users");
    await runAs(scene.loginOf("AWSCURRENT"), "create table public.made_by_a (id int)");
    await scene.rotate();
    await runAs(
      scene.loginOf("AWSCURRENT"),
      "insert into public.made_by_a values (1); alter table public.made_by_a add note text; create table public.made_by_b (id int)",
    );
    await scene.rotate();
    await runAs(scene.loginOf("AWSCURRENT"), "drop table public.made_by_a, public.made_by_b");
  });

  test("gives the other user the memberships of the current one, and takes away those it lost", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = "", b = ""] = scene.settings.usernames;
    const { tag } = scene.test;
    const admin = (text: string) => runAs(scene.test.admin(), text);
    await admin(
      `create role readers_${tag}; create role writers_${tag}; grant readers_${tag} to ${a}`,
    );
    await scene.rotate();
    const rolesOf = async (name: string) =>
      (
        await admin(
          `select r.rolname::text as role from pg_auth_members m join pg_roles r on r.oid = m.roleid
           join pg_roles u on u.oid = m.member where u.rolname = '${name}' order by 1`,
        )
      ).map(({ role }) => role);
    expect(await rolesOf(b)).toEqual([scene.test.owner, `readers_${tag}`].sort());
    await admin(`revoke readers_${tag} from ${b}; grant writers_${tag} to ${b}`);
    await scene.rotate();
    expect(await rolesOf(a)).toEqual([scene.test.owner, `writers_${tag}`].sort());
  });

  test("an existing user that is no member of the owner group becomes one", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = ""] = scene.settings.usernames;
    await runAs(
      scene.test.superuser(),
      `alter role ${a} reset role; revoke ${scene.test.owner} from ${a}`,
    );
    await scene.rotate();
    await scene.rotate();
    expect(await runAs(scene.loginOf("AWSCURRENT"), "select current_user::text as role")).toEqual([
      { role: scene.test.owner },
    ]);
  });

  test("refuses a pair whose privileges differ, and says in what", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = "", b = ""] = scene.settings.usernames;
    await runAs(
      scene.test.superuser(),
      `create table public.private (id int, note text); grant select on public.private to ${a}`,
    );
    await expect(scene.rotate()).rejects.toThrow(
      `secret ${scene.secret.arn}: the two users differ: ${a} has SELECT on public.private, ${b} has not; give privileges to ${scene.test.owner}, never to one user`,
    );
    expect(scene.secret.valueOf("AWSPREVIOUS")).toBeUndefined();
    await runAs(
      scene.test.superuser(),
      `grant select on public.private to ${scene.test.owner}; revoke select on public.private from ${a}`,
    );
    await scene.rotate();
    expect(scene.loginOf("AWSCURRENT").username).toBe(b);
  });

  test("a pair of AWS's function, of which one is a member of the other, takes turns", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = "", b = ""] = scene.settings.usernames;
    // what AWS's function makes of a at its first rotation: current is the clone
    const password = scene.secret.valueOf("AWSCURRENT")?.password ?? new Secret("");
    await runAs(
      scene.test.superuser(),
      `create role ${b} login password '${password.reveal()}'; grant ${a} to ${b}; grant ${b} to ${scene.test.admin().username} with admin option`,
    );
    scene.secret.put({ ...scene.secret.valueOf("AWSCURRENT"), username: b });
    for (const expected of [a, b, a]) {
      await scene.rotate();
      expect(scene.loginOf("AWSCURRENT").username).toBe(expected);
      expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
    }
  });

  test("two users of a dynamic role's group act as themselves, and what one alone owns stops its rotation", async () => {
    const scene = await rotationScene("alternating-users", { changes: { actsAsGroup: false } });
    const [a = "", b = ""] = scene.settings.usernames;
    await runAs(scene.test.superuser(), `alter role ${a} reset role`);
    await scene.rotate();
    const who = "select current_user::text as role";
    expect(await runAs(scene.loginOf("AWSCURRENT"), who)).toEqual([{ role: b }]);
    await runAs(
      scene.test.superuser(),
      `create table public.of_b (); alter table public.of_b owner to ${b}`,
    );
    await expect(scene.rotate()).rejects.toThrow(`${b} has ownership of public.of_b, ${a} has not`);
    expect(scene.loginOf("AWSCURRENT").username).toBe(b);
  });

  test("names are taken as they are: a user whose name ends in _clone, and one of 63 bytes", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = ""] = scene.settings.usernames;
    const long = `b_${"x".repeat(56)}_${scene.test.tag}`;
    expect(long).toHaveLength(63);
    await runAs(scene.test.superuser(), `alter role ${a} rename to ${a}_clone`);
    const password = scene.secret.valueOf("AWSCURRENT")?.password ?? new Secret("");
    await runAs(scene.test.superuser(), `alter role ${a}_clone password '${password.reveal()}'`);
    const usernames = [`${a}_clone`, long];
    scene.secret.put({ ...scene.secret.valueOf("AWSCURRENT"), username: `${a}_clone` });
    const changes = { settings: { ...scene.settings, usernames } };
    for (const expected of [long, `${a}_clone`, long]) {
      await scene.rotate(changes);
      expect(scene.loginOf("AWSCURRENT").username).toBe(expected);
      expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
    }
    const rows = await runAs(
      scene.test.admin(),
      `select count(*)::int as users from pg_roles where rolname ~ '${scene.test.tag}' and rolcanlogin`,
    );
    expect(rows).toEqual([{ users: 2 }]);
  });
});

test("an administrator who is being rotated is let in with the next password", async () => {
  const { masterPassword } = await fileCluster();
  const scene = await rotationScene("alternating-users", {
    master: { password: new Secret("until a moment ago") },
    nextMaster: { password: new Secret(masterPassword) },
  });
  await scene.rotate();
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
});

test("the administrator goes to the database of its own secret, whatever the rotated one says", async () => {
  const scene = await rotationScene("alternating-users", { master: { dbname: "postgres" } });
  const databases: string[] = [];
  const { servers } = scene.deps;
  await scene.rotate({
    servers: {
      logIn: (login) => {
        databases.push(`${login.username} ${login.dbname}`);
        return servers.logIn(login);
      },
    },
  });
  const { masterUsername } = await fileCluster();
  const { database } = scene.test;
  const [a = "", b = ""] = scene.settings.usernames;
  expect(new Set(databases)).toEqual(
    new Set([`${masterUsername} postgres`, `${a} ${database}`, `${b} ${database}`]),
  );
});

test("an administrator whose rotation ends just then is read again", async () => {
  const right = new Secret((await fileCluster()).masterPassword);
  const scene = await rotationScene("alternating-users", {
    master: { password: new Secret("until a moment ago") },
  });
  const { secrets } = scene.deps;
  await scene.step("createSecret");
  let reads = 0;
  const getSecret: typeof secrets.getSecret = async (id, version) => {
    const found = await secrets.getSecret(id, version);
    if (id !== MASTER_ARN || version.stage !== "AWSCURRENT" || reads++ === 0) return found;
    return found && { ...found, value: { ...found.value, password: right } };
  };
  await scene.step("setSecret", { secrets: { ...secrets, getSecret } });
  expect(await scene.refusalOf("AWSPENDING")).toBeUndefined();
});

describe("issuer-login", () => {
  test("sets the password with two connections, and no right to change anybody's", async () => {
    const scene = await rotationScene("issuer-login");
    await scene.step("createSecret");
    const before = scene.connections();
    await scene.step("setSecret");
    expect(scene.connections() - before).toBe(2);
  });

  test("a login whose password is lost is repaired by the provisioner, and the rotation goes on", async () => {
    const scene = await rotationScene("issuer-login");
    const lost = scene.loginOf("AWSPREVIOUS").username;
    await runAs(scene.test.superuser(), `alter role ${lost} password 'set by hand'`);
    await scene.step("createSecret");
    await expect(scene.step("setSecret")).rejects.toThrow(
      /have the provisioner repair it: mayfly converge/,
    );
    await scene.test.converge();
    await scene.rotate();
    expect(scene.loginOf("AWSCURRENT").username).toBe(lost);
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
    expect(await scene.refusalOf("AWSPREVIOUS")).toBeUndefined();
  });

  test("is refused at createSecret when AWSPREVIOUS is not the other login", async () => {
    const scene = await rotationScene("issuer-login");
    scene.secret.put({ ...scene.secret.valueOf("AWSCURRENT") });
    await expect(scene.step("createSecret")).rejects.toThrow(
      /\(AWSPREVIOUS\) does not hold mf_\w+_login_b, which alone may change its password; have the provisioner write it: mayfly converge/,
    );
    expect(scene.secret.valueOf("AWSPENDING")).toBeUndefined();
  });
});

test("an administrator's secret that RDS manages is known by its tags", async () => {
  const scene = await rotationScene("alternating-users", {
    master: { host: undefined, engine: undefined },
  });
  const tagged = (tags: ReadonlyMap<string, string>, address: string) => ({
    secrets: {
      ...scene.secret.secrets,
      describe: async (id: string) =>
        id === MASTER_ARN
          ? { arn: id, tags, versions: new Map() }
          : scene.secret.secrets.describe(id),
    },
    rds: { ...scene.deps.rds, addressOf: async () => address },
  });
  const tags = new Map([
    ["aws:rds:primaryDBInstanceArn", "arn:aws:rds:eu-west-1:123456789012:db:orders"],
  ]);
  await expect(scene.rotate(tagged(new Map(), ""))).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("lacks host, and has no tag of RDS"),
  });
  await expect(scene.rotate(tagged(tags, "other.example.com"))).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("belongs to the server other.example.com, not to"),
  });
  await scene.rotate(tagged(tags, scene.deps.server.host));
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
});
