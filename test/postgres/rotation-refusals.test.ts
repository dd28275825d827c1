import { describe, expect, test } from "vitest";
import { ConfigError, DatabaseUnavailableError, MayflyError } from "../../core/errors.ts";
import { parseRotationRequest } from "../../core/rotation/rotation-request.ts";
import type { RotationSettings, RotationStrategy } from "../../core/rotation/settings.ts";
import type { RotationDeps } from "../../core/rotation/versions.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretObject } from "../../core/secret-store.ts";
import { renderSecret } from "../../core/secret-text.ts";
import { runAs } from "../support/provisioned.ts";
import { MASTER_ARN, type RotationScene, rotationScene } from "../support/rotations.ts";

/** Every role and its password, as the server keeps them. */
const rolesOf = ({ test: { superuser, tag } }: RotationScene) =>
  runAs(
    superuser(),
    `select rolname, rolpassword, rolconfig::text, (select array_agg(roleid order by roleid) from pg_auth_members where member = a.oid)
     from pg_authid a left join pg_db_role_setting s on s.setrole = a.oid, lateral (select s.setconfig as rolconfig) c
     where rolname like '%${tag}%' order by 1`,
  );

/** A rotation fails with one of our errors, which names the secret; nothing else has happened. */
async function failureOf(scene: RotationScene, changes: Partial<RotationDeps> = {}) {
  const token = scene.secret.begin();
  const before = [
    await rolesOf(scene),
    scene.secret.valueOf("AWSCURRENT"),
    scene.secret.valueOf("AWSPREVIOUS"),
  ];
  const failure = await scene.rotate(changes, token).then(
    () => new Error("it did not fail"),
    (error: unknown) => error as Error,
  );
  expect(failure).toBeInstanceOf(MayflyError);
  expect(failure.message).toContain("secret:");
  expect(failure.message.length).toBeLessThan(700);
  expect([
    await rolesOf(scene),
    scene.secret.valueOf("AWSCURRENT"),
    scene.secret.valueOf("AWSPREVIOUS"),
  ]).toEqual(before);
  return failure;
}

/** Whether ADMIN on a role is what it takes to change it. */
async function isSplit({ test: { superuser } }: RotationScene): Promise<boolean> {
  const version = "select current_setting('server_version_num')::int >= 160000 as split";
  return (await runAs(superuser(), version))[0]?.split === true;
}

interface Bad {
  readonly strategy?: RotationStrategy;
  readonly value?: SecretObject;
  readonly master?: SecretObject;
  readonly settings?: Partial<RotationSettings>;
}

describe("a secret that cannot be rotated, found before anything is written:", () => {
  test.each<[string, Bad, string]>([
    [
      "no engine",
      { value: { engine: undefined } },
      "(AWSCURRENT) cannot be rotated: engine undefined is not one of postgres, aurora-postgresql; put them right",
    ],
    ["another engine", { value: { engine: "mysql" } }, 'engine "mysql" is not one of'],
    [
      "several keys wrong",
      { value: { engine: "oracle", port: 0, host: "", dbname: 7, password: undefined } },
      'engine "oracle" is not one of postgres, aurora-postgresql; host "" is not the name of a server; port 0 is not a whole number from 1 to 65535; dbname 7 is not a database\'s name of 1 to 63 bytes; password is missing or no text',
    ],
    ["a malformed port", { value: { port: "54321x" } }, 'port "54321x" is not'],
    [
      "another user",
      { value: { username: "somebody" } },
      'holds the username "somebody", and its function was deployed for app_',
    ],
    [
      "another host",
      { value: { host: "db.elsewhere.example" } },
      "names the host db.elsewhere.example, which is neither",
    ],
    ["another port", { value: { port: 1 } }, "names port 1 of"],
    [
      "the administrator of another cluster",
      { strategy: "alternating-users", master: { host: "other.cluster.example" } },
      "belongs to the server other.cluster.example, not to",
    ],
    [
      "another administrator's secret",
      { strategy: "alternating-users", value: { masterarn: `${MASTER_ARN.slice(0, -8)}2-AbCdEf` } },
      "names the masterarn arn:aws:secretsmanager:eu-west-1:123456789012:secret:admi2-AbCdEf, and its function was deployed with",
    ],
    [
      "an administrator without a password",
      { strategy: "alternating-users", master: { password: undefined } },
      "lacks password",
    ],
    [
      "a value of 64 KB",
      { value: { note: "x".repeat(65_500) } },
      "with its new password, and Secrets Manager keeps 65536",
    ],
    [
      "a policy too weak",
      {
        settings: {
          password: {
            length: 20,
            excludeCharacters:
              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!\"#$%&'()*+,-./ ",
          },
        },
      },
      "bits, fewer than 128; make it longer",
    ],
  ])("%s", async (_, { strategy = "single-user", value, master, settings }, text) => {
    const scene = await rotationScene(strategy, {
      ...(value && { value }),
      ...(master && { master }),
      ...(settings && { changes: settings }),
    });
    const failure = await failureOf(scene);
    expect(failure).toBeInstanceOf(ConfigError);
    expect(failure.message).toContain(text);
    expect(scene.secret.valueOf("AWSPENDING")).toBeUndefined();
    expect(scene.connections()).toBe(0);
  });

  test("a value of exactly 65,536 bytes is put, and one byte more is refused before", async () => {
    const scene = await rotationScene("single-user", { value: { note: "" } });
    const base = scene.secret.valueOf("AWSCURRENT") ?? {};
    // the password is as long as the next one
    const rest = 65_536 - Buffer.byteLength(renderSecret(base));
    scene.secret.put({ ...base, note: "x".repeat(rest + 1) });
    expect((await failureOf(scene)).message).toContain("would be 65537 bytes");
    scene.secret.put({ ...base, note: "x".repeat(rest) });
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("rotation switched off, a version that is not pending, another secret", async () => {
    const scene = await rotationScene("single-user");
    const token = scene.secret.begin();
    const ask = (step: "setSecret", changes: object) =>
      scene
        .step(step, changes as Partial<RotationDeps>, token)
        .catch((error: Error) => error.message);
    scene.secret.facts.rotationEnabled = false;
    expect(await ask("setSecret", {})).toContain(
      `secret ${scene.secret.arn} is not enabled for rotation`,
    );
    delete scene.secret.facts.rotationEnabled;
    scene.secret.facts.owningService = "rds";
    expect(await ask("setSecret", {})).toContain("is managed and rotated by rds");
    delete scene.secret.facts.owningService;
    expect(await ask("setSecret", { secretArn: `${MASTER_ARN.slice(0, -7)}s-AbCdEf` })).toContain(
      "is not the one that this function rotates",
    );
    const unknown = "11111111-1111-4111-8111-111111111111";
    expect(
      await scene.step("setSecret", {}, unknown).catch((error: Error) => error.message),
    ).toContain(`has no version ${unknown} to rotate`);
    const old = [...scene.secret.labels().keys()][0] ?? "";
    scene.secret.put({ ...scene.secret.valueOf("AWSCURRENT") });
    expect(await scene.step("setSecret", {}, old).catch((error: Error) => error.message)).toContain(
      `version ${old} of secret ${scene.secret.arn} is not AWSPENDING but AWSPREVIOUS`,
    );
    expect(scene.connections()).toBe(0);
  });
});

describe("a pending version that is not ours is not tried:", () => {
  test.each<[string, RotationStrategy, SecretObject, string]>([
    [
      "another host",
      "single-user",
      { host: "attacker.example" },
      'holds the host "attacker.example" where',
    ],
    [
      "another user",
      "single-user",
      { username: "postgres" },
      'holds the username "postgres" where',
    ],
    ["another port", "master-user", { port: 1 }, 'holds the port "1" where'],
    ["the user whose turn it is not", "alternating-users", {}, 'holds the username "app_a_'],
  ])("%s", async (_, strategy, changed, text) => {
    const scene = await rotationScene(strategy);
    const token = scene.secret.begin();
    const value = {
      ...scene.secret.valueOf("AWSCURRENT"),
      password: new Secret("of a stranger"),
      ...changed,
    };
    await scene.secret.secrets.putPending(scene.secret.arn, value, { token });
    const failure = await failureOf(scene);
    expect(failure.message).toContain(`secret ${scene.secret.arn} (AWSPENDING) ${text}`);
    for (const step of ["setSecret", "testSecret", "finishSecret"] as const)
      await expect(scene.step(step, {}, token)).rejects.toThrow(text);
    expect(scene.connections()).toBe(0);
  });
});

/** From 17 on. */
async function hasLoginTriggers({ test: { superuser } }: RotationScene): Promise<boolean> {
  const version = "select current_setting('server_version_num')::int >= 170000 as has";
  return (await runAs(superuser(), version))[0]?.has === true;
}

describe("a login event trigger that fails is named, and its remedy helps:", () => {
  /** A trigger that fails where `public` is not in the search path, for applications' logins alone. */
  const trigger = (body: string, evil = "log in\n- have a DBA run: y") => `
    create table if not exists public.logins (name text); grant insert on public.logins to public;
    create function public.on_login() returns event_trigger language plpgsql as $f$
    begin if session_user not like 'mayfly%' and session_user <> 'postgres' then ${body} end if; end $f$;
    create event trigger "${evil}" on login execute function public.on_login()`;

  test.each<[RotationStrategy, "createSecret" | "setSecret"]>([
    ["single-user", "createSecret"],
    ["alternating-users", "setSecret"],
  ])("%s", async (strategy, step) => {
    const scene = await rotationScene(strategy, { changes: { testQueries: ["select 1"] } });
    if (!(await hasLoginTriggers(scene))) return;
    const { superuser, database } = scene.test;
    const { username } = scene.loginOf("AWSCURRENT");
    await runAs(superuser(), trigger("insert into logins values (session_user);"));
    const { message } = await failureOf(scene);
    expect(message).toContain(
      `${step}: ${username} is known to ${scene.deps.server.host}, and its session in the database "${database}" fails as it begins (code 42P01): most likely because of the login event trigger "log in\\n- have a DBA run: y"; names in its function public.on_login need their schemas;`,
    );
    const remedy = /have a DBA run: (ALTER .*;)$/.exec(message)?.[1] ?? "";
    await runAs(superuser(), remedy);
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("without its name where no session begins at all; 42501 may be a missing CONNECT too", async () => {
    const scene = await rotationScene("alternating-users");
    if (!(await hasLoginTriggers(scene))) return;
    const { superuser, database } = scene.test;
    await runAs(superuser(), trigger("raise exception using errcode = 'P0001';", "all"));
    const text = (await failureOf(scene)).message;
    expect(text).toContain(
      "fails as it begins (code P0001): most likely because of a login event trigger of",
    );
    expect(text).toMatch(/have a DBA run: ALTER EVENT TRIGGER … DISABLE;$/);
    await runAs(superuser(), 'alter event trigger "all" disable');
    await runAs(superuser(), `revoke connect on database ${database} from public`);
    const refused = (await failureOf(scene)).message;
    expect(refused).toContain(`may not connect to the database "${database}" (code 42501); grant`);
    await runAs(
      superuser(),
      `alter event trigger "all" enable; grant connect on database ${database} to public;
       create or replace function public.on_login() returns event_trigger language plpgsql as $f$
       begin if session_user like 'app%' and current_schema() = 'pg_catalog' then raise insufficient_privilege; end if; end $f$`,
    );
    expect((await failureOf(scene)).message).toContain(
      `fails as it begins (code 42501): most likely because of the login event trigger all; names in its function`,
    );
  });
});

describe("a server that says no:", () => {
  test("an administrator without the rights: the statement is undone whole, and the remedy named", async () => {
    const weak = async (scene: RotationScene) => {
      const name = `weak_${scene.test.tag}`;
      await runAs(
        scene.test.superuser(),
        `create role ${name} login password 'weak'; grant connect on database ${scene.test.database} to ${name}`,
      );
      return { username: name, password: new Secret("weak") };
    };
    const scene = await rotationScene("alternating-users");
    const login = await weak(scene);
    const { secrets } = scene.secret;
    const failure = await failureOf(scene, {
      secrets: {
        ...secrets,
        getSecret: async (id, version) => {
          const found = await secrets.getSecret(id, version);
          return id === MASTER_ARN && found
            ? { ...found, value: { ...found.value, ...login } }
            : found;
        },
      },
    });
    const { username } = login;
    const { owner, tag } = scene.test;
    expect(failure.message).toContain(
      `setSecret: the administrator "${username}" may not set up the user app_b_${tag} like app_a_${tag} (code 42501), and nothing was changed; have a DBA run: ALTER ROLE "${username}" CREATEROLE`,
    );
    const grants = `GRANT "${owner}" TO "${username}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE; GRANT "app_a_${tag}" TO "${username}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;`;
    expect(failure.message.includes(grants)).toBe(await isSplit(scene));
  });

  test("a refused administrator, a group that is gone, a user with power", async () => {
    const scene = await rotationScene("alternating-users", {
      master: { password: new Secret("old") },
    });
    expect((await failureOf(scene)).message).toMatch(
      /the administrator's secret \S+ holds a login that \S+ refuses \(code 28P01\)/,
    );
    const gone = await rotationScene("alternating-users", {
      changes: { group: "nobody_here" },
    });
    expect((await failureOf(gone)).message).toContain('the group "nobody_here" does not exist');
    const strong = await rotationScene("alternating-users");
    const [, b = ""] = strong.settings.usernames;
    await runAs(strong.test.superuser(), `create role ${b} superuser`);
    expect((await failureOf(strong)).message).toContain(
      `"${b}" has SUPERUSER, CREATEROLE, REPLICATION or BYPASSRLS`,
    );
    await runAs(strong.test.superuser(), `drop role ${b}`);
  });

  test("a network error is told from a refused login, and can be retried", async () => {
    const scene = await rotationScene("single-user");
    const server = { host: "127.0.0.1", port: 1 };
    const value = { ...scene.secret.valueOf("AWSCURRENT"), ...server };
    scene.secret.put(value);
    const failure = await failureOf(scene, { server });
    expect(failure).toBeInstanceOf(DatabaseUnavailableError);
    expect(failure.message).toMatch(
      /^secret \S+, setSecret: the database was not available in step "connect to app_\w+" \(ECONNREFUSED\); wait and retry$/,
    );
  });

  test("a database that lets nobody in", async () => {
    const scene = await rotationScene("single-user");
    const { database, superuser } = scene.test;
    await runAs(superuser("postgres"), `alter database ${database} allow_connections false`);
    const message = await scene.rotate().then(String, ({ message: text }: Error) => text);
    expect(message).toContain(`lets nobody into the database "${database}" (code 55000); have a`);
    await runAs(superuser("postgres"), /have a DBA run: (.*;)$/.exec(message)?.[1] ?? "");
    await scene.rotate();
    expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  });

  test("a database that is not there", async () => {
    const scene = await rotationScene("single-user", { value: { dbname: "not_there" } });
    expect((await failureOf(scene)).message).toMatch(
      /has no database "not_there" \(code 3D000\); correct the secret's dbname/,
    );
  });
});

test.each([
  [null, "is not a JSON object"],
  [
    { SecretId: "arn:x", Step: "create_secret" },
    'secret arn:x: Step "create_secret" is not one of createSecret, setSecret, testSecret, finishSecret',
  ],
  [{ SecretId: "arn:x" }, "Step undefined is not one of"],
  [{ Step: "setSecret" }, "SecretId undefined is not the ARN of a secret"],
  [
    { SecretId: "arn:x", Step: "setSecret", ClientRequestToken: "short" },
    'ClientRequestToken "short" is not the id of a version',
  ],
  [
    {
      SecretId: "arn:x",
      Step: "setSecret",
      ClientRequestToken: "x".repeat(36),
      RotationToken: "secret one",
    },
    "RotationToken is not 36 to 256 letters",
  ],
])("an event that Secrets Manager does not send is refused: %j", (event, text) => {
  expect(() => parseRotationRequest(event)).toThrow(text);
});
