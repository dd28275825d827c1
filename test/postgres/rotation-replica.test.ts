import { expect, test } from "vitest";
import type { RotationDeps } from "../../core/rotation/versions.ts";
import { ownReaders } from "../support/own-readers.ts";
import { runAs } from "../support/provisioned.ts";
import { type RotationScene, rotationScene } from "../support/rotations.ts";

const own = ownReaders();

/** Another name of this machine: the readers of a cluster have names of their own. */
const REPLICA = "localhost";

/** A scene whose secret names the standby, which RDS shows as a replica, or does not. */
async function onReplica(
  strategy: "single-user" | "alternating-users",
): Promise<{ readonly scene: RotationScene; readonly changes: Partial<RotationDeps> }> {
  const { cluster, standby } = own();
  const scene = await rotationScene(strategy, {
    cluster,
    value: { host: REPLICA, port: standby.port },
  });
  await own().caughtUp();
  const rds = { ...scene.deps.rds, belongs: async (host: string) => host === REPLICA };
  // a busy machine replays later than the attempts of a test would wait
  const time = { ...scene.deps.time, wait: () => own().caughtUp() };
  return { scene, changes: { rds, time } };
}

/** Where the secret says: on the standby. */
const logInThere = (scene: RotationScene, label: string) =>
  runAs(
    { ...scene.loginOf(label), host: REPLICA, port: own().standby.port },
    "select pg_is_in_recovery() as standby",
  );

test.each(["single-user", "alternating-users"] as const)(
  "%s: a secret of a replica is set on the writer, and tested on the replica",
  async (strategy) => {
    const { scene, changes } = await onReplica(strategy);
    for (let i = 0; i < 2; i++) {
      await scene.rotate(changes);
      expect(await logInThere(scene, "AWSCURRENT")).toEqual([{ standby: true }]);
      expect(scene.secret.valueOf("AWSCURRENT")).toMatchObject({ host: REPLICA });
    }
  },
);

test("a replica that has not replayed the password keeps the secret from being promoted", async () => {
  const { scene, changes } = await onReplica("single-user");
  const before = scene.secret.valueOf("AWSCURRENT");
  await own().pause();
  await expect(scene.rotate({ ...changes, time: scene.deps.time })).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining("localhost refuses the pending login"),
  });
  expect(scene.secret.valueOf("AWSCURRENT")).toBe(before);
  await own().resume();
  await own().caughtUp();
  await scene.rotate(changes);
  expect(await logInThere(scene, "AWSCURRENT")).toEqual([{ standby: true }]);
});

test("a host that RDS does not know as a replica is refused before any login", async () => {
  const { scene } = await onReplica("single-user");
  await expect(scene.rotate()).rejects.toMatchObject({
    name: "ConfigError",
    message: expect.stringContaining(
      "names the host localhost, which is neither 127.0.0.1, for which its function was deployed, nor a replica",
    ),
  });
  expect(scene.connections()).toBe(0);
});
