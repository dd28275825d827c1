import {
  CHANGE,
  goOn,
  hasEnded,
  heldAs,
  hold,
  nothingIsLeft,
  outcome,
  READ,
  refusal,
  type Scene,
  Seen,
  statusIs,
} from "./scene.ts";

/** One thing that somebody does to the stack. */
export interface Step {
  readonly name: string;
  /** For people. */
  readonly asked: string;
  /** @returns what was seen. @throws Error with what was found instead. */
  run(scene: Scene): Promise<readonly string[]>;
}

const step = (
  name: string,
  asked: string,
  look: (scene: Scene, seen: Seen) => Promise<void>,
): Step => ({
  name,
  asked,
  run: async (scene) => {
    const seen = new Seen();
    await look(scene, seen);
    return seen.facts;
  },
});

const [READER, WRITER, REPORTING] = [
  "user-service/readonly",
  "user-service/readwrite",
  "reporting/readonly",
] as const;
const AUDITOR = "user-service/auditor";

/** From the first deployment to the last but one. */
export const LIFE: readonly Step[] = [
  step("create", "2 dynamic roles, 2 consumers", async (scene, seen) => {
    await statusIs(scene, seen, "CREATE_COMPLETE");
    await hold(scene, READER, WRITER, REPORTING);
    await goOn(scene, seen, READER, WRITER, REPORTING);
  }),

  step("add a role", "the role auditor, for user-service", async (scene, seen) => {
    await scene.stage.runner.update(scene.assemblies.roleAdded);
    await statusIs(scene, seen, "UPDATE_COMPLETE");
    await hold(scene, AUDITOR);
    seen.so(`${AUDITOR} is issued and logs in`, true);
    await goOn(scene, seen, READER, WRITER, REPORTING, AUDITOR);
  }),

  step("remove a privilege", "readwrite may not UPDATE any more", async (scene, seen) => {
    const { session } = heldAs(scene, WRITER);
    const before = await outcome(session, CHANGE);
    await scene.stage.runner.update(scene.assemblies.privilegeRemoved);
    await statusIs(scene, seen, "UPDATE_COMPLETE");
    const after = await outcome(session, CHANGE);
    seen.so(
      `refused: the next UPDATE in the open session of ${WRITER} (42501), which was fine before`,
      before === "fine" && after === "42501",
      [before, after],
    );
    await goOn(scene, seen, READER, WRITER, REPORTING, AUDITOR);
  }),

  step("remove a consumer", "no reporting any more", async (scene, seen) => {
    await scene.stage.runner.update(scene.assemblies.consumerRemoved);
    await statusIs(scene, seen, "UPDATE_COMPLETE");
    await hasEnded(scene, seen, REPORTING);
    await goOn(scene, seen, READER, WRITER, AUDITOR);
    await scene.stage.issue("user-service", "readonly");
    seen.so("user-service is issued another lease", true);
  }),

  step("fail early", "a role on a table that does not exist; no readwrite", async (scene, seen) => {
    const words = await refusal(scene.stage.runner.update(scene.assemblies.impossible));
    const expected = words.includes("public.nowhere") && words.includes("nothing was changed");
    seen.so("refused: no public.nowhere, and nothing was changed", expected, words);
    await statusIs(scene, seen, "UPDATE_ROLLBACK_COMPLETE");
    await goOn(scene, seen, READER, WRITER, AUDITOR);
    await scene.stage.issue("user-service", "readwrite");
    seen.so("the former configuration works: readwrite is issued", true);
  }),

  step("fail late", "the same after provisioning; a role latecomer", async (scene, seen) => {
    const words = await refusal(scene.stage.runner.update(scene.assemblies.failsLate));
    seen.so(
      "refused: a resource behind the provisioning",
      words.endsWith("function:nobody"),
      words,
    );
    await statusIs(scene, seen, "UPDATE_ROLLBACK_COMPLETE");
    await hasEnded(scene, seen, WRITER);
    await goOn(scene, seen, READER, AUDITOR);
    await hold(scene, WRITER);
    seen.so(`the former configuration works: ${WRITER} is issued anew`, true);
    const late = await outcome(heldAs(scene, READER).session, ROLE_OF_LATECOMER);
    seen.so("the role latecomer was taken away again", late === "22012", late);
  }),

  step("delete, and fail", "the administrator's password is wrong", async (scene, seen) => {
    const { stage } = scene;
    const right = await stage.setAdminPassword("wrong");
    const words = await refusal(stage.runner.delete());
    await stage.setAdminPassword(right);
    seen.so("refused: leases would be left alive (28P01)", words.includes("28P01"), words);
    await statusIs(scene, seen, "DELETE_FAILED");
    await goOn(scene, seen, READER, WRITER, AUDITOR);
  }),

  step("delete", "again, with the right one", async (scene, seen) => {
    const { stage, held } = scene;
    const group = await stage.groupName();
    const sessions = [...held.values()].map(({ session }) => session);
    await stage.runner.delete();
    const found = await Promise.all(sessions.map((each) => outcome(each, READ)));
    const ended = found.every((each) => each === "ended");
    seen.so(`all ${sessions.length} sessions have ended`, ended, found);
    await nothingIsLeft(scene, seen, group);
    held.clear();
  }),

  step("create again", "as at first", async (scene, seen) => {
    const { stage, assemblies } = scene;
    await stage.runner.create(assemblies.first);
    await statusIs(scene, seen, "CREATE_COMPLETE");
    await hold(scene, READER, WRITER, REPORTING);
    await goOn(scene, seen, READER, WRITER, REPORTING);
  }),
];

/** Division by zero (22012) when there is no such role: its lease may not say so in other words. */
const ROLE_OF_LATECOMER =
  "select 1 / (select count(*) from pg_roles where rolname like 'mf\\_%\\_group\\_latecomer')";

/** What is alive when the stack is deleted. */
export interface Load {
  readonly leases: number;
  /** How many of the leases have opened a session. */
  readonly sessions: number;
}

/** The last deletion, while the sweep comes again and again. */
export const deleteUnderLoad = (load: Load): Step =>
  step(
    "delete under load",
    `${load.leases} leases, ${load.sessions} sessions, and sweeps`,
    (scene, seen) => underLoad(load, scene, seen),
  );

async function underLoad(
  { leases, sessions: wanted }: Load,
  scene: Scene,
  seen: Seen,
): Promise<void> {
  const { stage, held } = scene;
  const group = await stage.groupName();
  const sessions = [...held.values()].map(({ session }) => session);
  for (let issued = held.size; issued < leases; issued++) {
    const credential = await stage.issue("user-service", issued % 2 ? "readonly" : "readwrite");
    if (sessions.length < wanted) sessions.push((await stage.logIn(credential)).session);
  }
  const scheduled = (await stage.schedulesIn(group))?.length;
  seen.so(`${leases} leases are alive, each with a schedule`, scheduled === leases, scheduled);
  const revokedBefore = stage.revoked().size;
  const began = Date.now();
  const deleting = stage.runner.delete();
  let sweeps = 0;
  for (let going = true; going; sweeps++) {
    const done = deleting.then(() => false);
    going = await Promise.race([
      done,
      stage.sweep().then(
        () => true,
        () => done,
      ),
    ]);
  }
  const seconds = ((Date.now() - began) / 1_000).toFixed(1);
  seen.so(`deleted in ${seconds} s, during which ${sweeps} sweeps ran or were refused`, true);
  const ended = await Promise.all(sessions.map((each) => outcome(each, READ)));
  const all = ended.length === wanted && ended.every((each) => each === "ended");
  seen.so(`all ${wanted} sessions have ended`, all, ended);
  await nothingIsLeft(scene, seen, group);
  const revoked = stage.revoked().size - revokedBefore;
  seen.so(`${leases} leases have a receipt in a log`, revoked === leases, revoked);
  held.clear();
}

/** What takes more than a minute: the provisioner waits for a server that may come back. */
export const DEAD_SERVER: readonly Step[] = [
  step("delete, server dead", "a new stack, whose PostgreSQL has crashed", async (scene, seen) => {
    const { stage, assemblies, held } = scene;
    await stage.runner.create(assemblies.first);
    await hold(scene, READER, WRITER);
    const group = await stage.groupName();
    const before = stage.warnings().length;
    await stage.runner.database.crash();
    await stage.runner.delete();
    await statusIs(scene, seen, "gone");
    const [first = "", second = ""] = stage.warnings().slice(before);
    seen.so(
      "logged: nothing was removed or verified, the database could not be reached",
      first.includes("nothing was removed or verified: the database could not be reached"),
      first,
    );
    const named = second.includes(`delete-schedule-group --name ${group}`);
    seen.so("logged: the schedule group is kept, by name, and what to do with it", named, second);
    const schedules = await stage.schedulesIn(group);
    seen.so("kept: the group, with 2 schedules", schedules?.length === 2, schedules);
    held.clear();
  }),

  step("create beside it", "as at first", async (scene, seen) => {
    const { stage, assemblies } = scene;
    await stage.runner.create(assemblies.first);
    await statusIs(scene, seen, "CREATE_COMPLETE");
    await hold(scene, READER, REPORTING);
    await goOn(scene, seen, READER, REPORTING);
    const group = await stage.groupName();
    await stage.runner.delete();
    await nothingIsLeft(scene, seen, group);
  }),
];
