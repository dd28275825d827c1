import { afterAll, beforeAll, expect, test } from "vitest";
import { MAINTENANCE_DATABASE } from "../../core/names.ts";
import type { RotationStrategy } from "../../core/rotation/settings.ts";
import { ownLogin } from "../../lambda/handlers/own-login.ts";
import { type OwnServer, startCluster } from "../support/cluster.ts";
import { eventually } from "../support/eventually.ts";
import { issuerOn } from "../support/leases.ts";
import { runAs } from "../support/provisioned.ts";
import { type RotationScene, rotationScene } from "../support/rotations.ts";

let own: OwnServer;
beforeAll(async () => {
  own = await startCluster(["log_statement=ddl", "log_min_duration_statement=-1"]);
});
afterAll(() => own.server.stop());

const ROTATIONS = 4;

/** Do something again and again while a secret is rotated several times, each with some of it in between. */
async function whileRotating(
  scene: RotationScene,
  attempt: (caller: number) => Promise<unknown>,
): Promise<{ readonly attempts: number; readonly failures: unknown[] }> {
  const failures: unknown[] = [];
  let attempts = 0;
  let isOver = false;
  const loop = async (caller: number): Promise<void> => {
    while (!isOver) {
      await attempt(caller).catch((error: unknown) => failures.push(error));
      attempts += 1;
    }
  };
  const loops = [loop(0), loop(1)];
  for (let i = 0; i < ROTATIONS; i++) {
    const before = attempts;
    await scene.rotate();
    await eventually(() => attempts >= before + 6);
  }
  isOver = true;
  await Promise.all(loops);
  return { attempts, failures };
}

test("issuing goes on while the issuer logins rotate, without one failed request, on connections old and new", async () => {
  const scene = await rotationScene("issuer-login", { cluster: own.cluster });
  const { host, port } = own.cluster;
  const instances = [0, 1].map(() =>
    issuerOn(scene.test, {
      login: ownLogin({
        secrets: {
          getSecret: (id, version = {}) =>
            scene.secret.secrets.getSecret(id, { stage: "AWSCURRENT", ...version }),
        },
        secretArn: scene.secret.arn,
        database: MAINTENANCE_DATABASE,
        host,
        port,
        ssl: () => scene.ssl,
      }),
    }),
  );
  let attempt = 0;
  // an instance of a function serves one request at a time
  const { attempts, failures } = await whileRotating(scene, async (caller) => {
    attempt += 1;
    const instance = instances[caller];
    // every third call finds its connection gone, and logs in with what the instance remembers
    if (attempt % 3 === 0) await instance?.close();
    await instance?.issue();
  });
  await Promise.all(instances.map((instance) => instance.close()));
  expect(failures).toEqual([]);
  expect(attempts).toBeGreaterThan(ROTATIONS * 6);
});

test("a client that asks for AWSCURRENT at each login never fails while two users take turns", async () => {
  const scene = await rotationScene("alternating-users", { cluster: own.cluster });
  const { failures } = await whileRotating(scene, () =>
    runAs(scene.loginOf("AWSCURRENT"), "select 1"),
  );
  expect(failures).toEqual([]);
});

test("a single user's client fails between setSecret and finishSecret alone, and with 28P01", async () => {
  const scene = await rotationScene("single-user", { cluster: own.cluster });
  await scene.step("createSecret");
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
  await scene.step("setSecret");
  expect(await scene.refusalOf("AWSCURRENT")).toBe("28P01");
  await scene.step("testSecret");
  await scene.step("finishSecret");
  expect(await scene.refusalOf("AWSCURRENT")).toBeUndefined();
});

test("no password, and no verifier, is in the server's log of statements that change roles, or that fail", async () => {
  const cluster = own.cluster;
  const strategies: readonly RotationStrategy[] = [
    "single-user",
    "alternating-users",
    "issuer-login",
  ];
  const scenes: RotationScene[] = [];
  for (const strategy of strategies) scenes.push(await rotationScene(strategy, { cluster }));
  const changes = { group: cluster.superuser.username };
  const failing = await rotationScene("alternating-users", { cluster, changes });
  const superuser = failing.test.superuser();
  const logUntil = async (canary: string): Promise<string> => {
    await runAs(superuser, `create role ${canary}; drop role ${canary}`);
    await eventually(() => own.server.log().includes(`drop role ${canary}`));
    return own.server.log();
  };
  const { length } = await logUntil("canary_before");
  const passwords: string[] = [];
  for (const scene of scenes)
    for (let i = 0; i < 2; i++) {
      await scene.rotate();
      passwords.push(scene.secret.valueOf("AWSCURRENT")?.password?.reveal() ?? "");
      expect(JSON.stringify(scene.audit)).not.toMatch(/SCRAM|password"/);
    }
  await expect(failing.rotate()).rejects.toThrow(/code 42501/);
  const log = (await logUntil("canary_after")).slice(length);
  expect(passwords).toHaveLength(6);
  for (const secret of ["SCRAM-SHA-256", ...passwords]) expect(log).not.toContain(secret);
});
