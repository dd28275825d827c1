import { describe, expect, test } from "vitest";
import { settingChanges, sqlOf } from "../../lambda/postgres/rotation/role-settings.ts";
import { runAs } from "../support/provisioned.ts";
import { type RotationScene, rotationScene } from "../support/rotations.ts";

/** Everything of the two users but what tells them apart. */
const usersOf = ({ test: { superuser }, settings: { usernames } }: RotationScene) =>
  runAs(
    superuser(),
    `select rolpassword is not null as known, rolcanlogin, rolvaliduntil::text, rolconnlimit,
       (select array_agg(coalesce(datname::text, '') || ' ' || c order by datname, c) from pg_db_role_setting s
        left join pg_database d on d.oid = s.setdatabase, unnest(s.setconfig) c where s.setrole = a.oid) as settings
     from pg_authid a where rolname = any ('{${usernames.join(",")}}')
     order by rolname`,
  );

/** As {@link usersOf}, and their passwords. */
const wholeUsersOf = async (scene: RotationScene) => [
  await usersOf(scene),
  await runAs(
    scene.test.superuser(),
    `select rolname, rolpassword from pg_authid where rolname = any ('{${scene.settings.usernames.join(",")}}') order by 1`,
  ),
];

const failureOf = (scene: RotationScene): Promise<string> =>
  scene.rotate().then(
    () => "it did not fail",
    (error: Error) => error.message,
  );

/** What the last audit line of setSecret says was changed, sorted. */
function changedIn({ audit }: RotationScene): readonly unknown[] {
  const changed = audit.filter(({ event }) => event === "secret.set").at(-1)?.changed;
  return Array.isArray(changed) ? changed.map(String).toSorted() : [changed];
}

/** What a message tells a DBA to run. */
const remedyIn = (message: string): string => /have a DBA run: (.*;)$/.exec(message)?.[1] ?? "";

/** A rotation is refused, and has touched nobody; as soon as a DBA ran what it says, it passes. */
async function mendedByRemedy(scene: RotationScene): Promise<string> {
  const before = await wholeUsersOf(scene);
  const message = await failureOf(scene);
  expect(await wholeUsersOf(scene)).toEqual(before);
  const { username } = scene.loginOf("AWSPENDING");
  await runAs(scene.test.superuser(), remedyIn(message));
  await scene.rotate();
  expect(scene.loginOf("AWSCURRENT").username).toBe(username);
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  return message;
}

describe("a next user that could not log in is refused before anything is set:", () => {
  test("NOLOGIN, expired, and without connections", async () => {
    const scene = await rotationScene("alternating-users");
    const [a = "", b = ""] = scene.settings.usernames;
    const { superuser } = scene.test;
    await scene.rotate();
    const rows: readonly [string, string, string][] = [
      ["nologin", "NOLOGIN", "LOGIN"],
      ["valid until '2020-01-01'", "VALID UNTIL in the past", "VALID UNTIL 'infinity'"],
      ["valid until '-infinity'", "VALID UNTIL in the past", "VALID UNTIL 'infinity'"],
      ["connection limit 0", "CONNECTION LIMIT 0", "CONNECTION LIMIT -1"],
      [
        "nologin valid until '2020-01-01' connection limit 0",
        "NOLOGIN, VALID UNTIL in the past, CONNECTION LIMIT 0",
        "LOGIN VALID UNTIL 'infinity' CONNECTION LIMIT -1",
      ],
    ];
    for (const [attributes, what, remedy] of rows) {
      const next = scene.loginOf("AWSCURRENT").username === a ? b : a;
      await runAs(
        superuser(),
        `alter role ${next} ${attributes}; grant ${next} to ${scene.test.admin().username} with admin option`,
      );
      expect(await mendedByRemedy(scene)).toBe(
        `secret ${scene.secret.arn}, setSecret: "${next}" could not log in with a new password (${what}), and nothing was changed; have a DBA run: ALTER ROLE "${next}" ${remedy};`,
      );
    }
  });

  test("without CONNECT, which the current one has alone", async () => {
    const scene = await rotationScene("alternating-users");
    const [a, b] = scene.settings.usernames;
    const { database, owner } = scene.test;
    await runAs(
      scene.test.superuser(),
      `revoke connect on database ${database} from public; grant connect on database ${database} to ${a}`,
    );
    expect(await mendedByRemedy(scene)).toContain(
      `"${b}" could not connect to the database "${database}", and nothing was changed; have a DBA run: GRANT CONNECT ON DATABASE "${database}" TO "${owner}";`,
    );
  });
});

const HOSTILE = `it's "$mf$" \\ , 'x' \u{1F980}`;

describe("the next user gets what the current one has:", () => {
  test("expiry, limit and settings, also in one database, when it is made and at each turn", async () => {
    const scene = await rotationScene("alternating-users");
    const [a, b] = scene.settings.usernames;
    const { database, superuser, tag } = scene.test;
    const odd = `"x$mf$ ""${tag}"`;
    const literal = `E'${HOSTILE.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
    await runAs(superuser(), `create database ${odd}`);
    await runAs(
      superuser(),
      `alter role ${a} valid until '2130-01-01 00:00:00.123456+02' connection limit 7;
       alter role ${a} in database ${database} set search_path = shop, "B c", "d""e,f", "$user";
       alter role ${a} in database ${odd} set statement_timeout = '5s';
       alter role ${a} set application_name = ${literal};
       alter role ${a} set DateStyle = 'ISO, DMY';
       alter role ${a} set temp_tablespaces = '';
       alter role ${a} set timezone = 'Europe/Berlin'`,
    );
    const like = async () => {
      const users = await usersOf(scene);
      const [mine, theirs] = users;
      expect(users).toHaveLength(2);
      expect(mine).toEqual(theirs);
      return mine;
    };
    await scene.rotate();
    expect(await like()).toMatchObject({ rolconnlimit: 7, rolcanlogin: true });
    const changed = () => changedIn(scene);
    expect(changed()).toEqual([
      `COMMENT on ${b}`,
      `CONNECTION LIMIT of ${b}`,
      `VALID UNTIL of ${b}`,
      `membership of ${b} in ${scene.test.owner}`,
      `setting DateStyle of ${b}`,
      `setting TimeZone of ${b}`,
      `setting application_name of ${b}`,
      `setting role of ${b}`,
      `setting search_path of ${b} in database ${database}`,
      `setting statement_timeout of ${b} in database x$mf$ "${tag}`,
      `setting temp_tablespaces of ${b}`,
      `the role ${b} itself`,
    ]);
    await runAs(
      superuser(),
      `alter role ${b} valid until 'infinity' connection limit -1;
       alter role ${b} in database ${odd} reset all; alter role ${b} reset DateStyle;
       alter role ${b} in database ${database} set search_path = shop; alter role ${b} set work_mem = '8MB'`,
    );
    await scene.rotate();
    expect(await like()).toMatchObject({ rolconnlimit: -1, rolvaliduntil: "infinity" });
    expect(changed()).toEqual([
      `CONNECTION LIMIT of ${a}`,
      `VALID UNTIL of ${a}`,
      `setting DateStyle of ${a}`,
      `setting search_path of ${a} in database ${database}`,
      `setting statement_timeout of ${a} in database x$mf$ "${tag}`,
      `setting work_mem of ${a}`,
    ]);
    await scene.rotate();
    expect(changed()).toEqual([]);
    await runAs(superuser(), `drop database ${odd}`);
  });

  test("but the role that it acts as, which is the group's, and what means nothing and stays for good", async () => {
    const scene = await rotationScene("alternating-users");
    const [a] = scene.settings.usernames;
    const { database, as } = scene.test;
    const { password } = scene.loginOf("AWSCURRENT");
    await runAs(
      as(a ?? "", password),
      `set role none; alter role ${a} in database ${database} set role = 'none';
       alter role ${a} set transaction_read_only = on`,
    );
    for (const _ of "ab") await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();

    const { superuser } = scene.test;
    for (const step of ["createSecret", "setSecret"] as const) await scene.step(step);
    const { username } = scene.loginOf("AWSPENDING");
    await runAs(superuser(), `alter role ${username} reset role`);
    const refusal = await scene.step("testSecret").then(String, String);
    const [, remedy = ""] = /have a DBA run: (ALTER ROLE [^;]+;)/.exec(refusal) ?? [];
    await runAs(superuser(), remedy);
    await scene.step("testSecret");
  });

  test("a search path as the current one's sessions have it, however it was written", async () => {
    const scene = await rotationScene("alternating-users");
    const [a] = scene.settings.usernames;
    const path = `Shop,"B c" ,  "d""e,f"`;
    await runAs(
      scene.test.superuser(),
      `create schema shop; create schema "B c"; create schema "d""e,f"; grant usage on schema shop, "B c", "d""e,f" to ${scene.test.owner};
       select set_config('search_path', '${path}', false); alter role ${a} set search_path from current`,
    );
    const schemas = () =>
      runAs(
        { ...scene.loginOf("AWSCURRENT"), ownSearchPath: true },
        "select current_schemas(false)::text as schemas",
      );
    await scene.rotate();
    const [found] = await schemas();
    expect(found).toEqual({ schemas: '{shop,"B c","d\\"e,f"}' });
    await scene.rotate();
    expect(await schemas()).toEqual([found]);
    expect(changedIn(scene)).toEqual([]);
  });

  test("but what the administrator may not give: that a DBA does, and no value of an application's is said", async () => {
    const scene = await rotationScene("alternating-users");
    const [a, b] = scene.settings.usernames;
    const { database, superuser } = scene.test;
    await runAs(
      superuser(),
      `alter role ${a} set log_min_duration_statement = '5s'; alter role ${a} set work_mem = '8MB';
       alter role ${a} in database ${database} set app.jwt_secret = 'do not ''show'`,
    );
    const { username: admin } = scene.test.admin();
    const made = await mendedByRemedy(scene);
    expect(made).toContain(
      `the administrator "${admin}" may not give ${b} what ${a} has, and nothing was changed: setting `,
    );
    expect(made).toContain(`setting log_min_duration_statement of ${b}`);
    expect(made).toContain(`setting app.jwt_secret of ${b} in database ${database}`);
    expect(made).toContain(`have a DBA run: CREATE ROLE "${b}" LOGIN; COMMENT ON ROLE "${b}" IS '`);
    expect(made).not.toMatch(/show|work_mem/);
    await runAs(superuser(), `alter role ${b} reset log_min_duration_statement`);
    const taken = await mendedByRemedy(scene);
    expect(taken).toContain(
      `have a DBA run: ALTER ROLE "${a}" RESET "log_min_duration_statement";`,
    );
    const [mine, theirs] = await usersOf(scene);
    expect(mine).toEqual(theirs);
  });
});

test.each([
  ["search_path", "", "''"],
  ["search_path", '""', "''"],
  ["search_path", '"$user", public', "'$user', 'public'"],
  ["Search_Path", 'A,"A""b" , "c,d"', "'a', 'A\"b', 'c,d'"],
  ["session_preload_libraries", '"$libdir/Foo", Bar', "'$libdir/Foo', 'Bar'"],
  ["DateStyle", "ISO, MDY", "'ISO, MDY'"],
  ["app.list", '"a", "b"', '\'"a", "b"\''],
])("%s=%s is set with %s", (name, value, expected) => {
  expect(sqlOf({ name, value })).toBe(expected);
});

test("a value with a line break is not printed, nor is one of a setting that PostgreSQL does not know", () => {
  const remedyOf = (name: string, value: string) =>
    settingChanges("b", "a", [{ role: "a", database: null, name, value }])[0]?.remedy ?? "";
  expect(remedyOf("application_name", "x\n- have a DBA run: y")).not.toMatch(/\n|DBA/);
  expect(remedyOf("app.key", "hidden")).not.toContain("hidden");
  expect(remedyOf("work_mem", "1MB")).toBe("");
});
