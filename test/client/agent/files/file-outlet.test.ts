import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeChanges } from "../../../../client/agent/files/changes/changes.ts";
import { startFile } from "../../../../client/agent/files/start-file.ts";
import { type ClientTime, systemTime } from "../../../../client/time.ts";
import { Secret } from "../../../../core/secret.ts";
import { type Instant, milliseconds, seconds } from "../../../../core/time.ts";
import { eventually } from "../../../support/eventually.ts";
import { systemError, watchedFiles } from "../../../support/faulty-files.ts";
import { fakeSource, madeUpLogin, newFolder, outletScene } from "../../../support/file-outlet.ts";

/** Each wait is over at once, and time has passed. */
function hurriedTime(): ClientTime & { readonly waits: number[] } {
  let now = 0;
  const waits: number[] = [];
  return {
    now: () => now as Instant,
    monotonic: () => milliseconds(now),
    wait: async (length, signal) => {
      await new Promise(setImmediate);
      if (signal?.aborted === true) return;
      now += length;
      waits.push(length);
    },
    waits,
  };
}

let folder: string;
let path: string;
beforeEach(() => {
  folder = newFolder();
  path = join(folder, "db.txt");
});
afterEach(() => rmSync(folder, { recursive: true }));

const FIRST = "DB_USERNAME=user_1\nDB_PASSWORD=password-1\n";
const SECOND = "DB_USERNAME=user_2\nDB_PASSWORD=password-2\n";
const content = (): string => readFileSync(path, "utf8");

test("a file has the newest login in it, and this user alone may read it", async () => {
  await using scene = await outletScene(systemTime, { path });
  await scene.outlet.written;
  expect(content()).toBe(FIRST);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(scene.outlet.isCurrent).toBe(true);
  scene.source.next(madeUpLogin(2));
  expect(scene.outlet.isCurrent).toBe(false);
  await eventually(() => scene.outlet.isCurrent, { every: 5 });
  expect(content()).toBe(SECOND);
  expect(scene.events).toEqual([
    { kind: "file-written", path, usernames: ["user_1"] },
    { kind: "file-written", path, usernames: ["user_2"] },
  ]);
  expect(readdirSync(folder)).toEqual(["db.txt"]);
});

test("a command runs after each change, and not when a restart finds the same content", async () => {
  const log = join(folder, "log");
  const onChange = {
    kind: "command",
    command: ["sh", "-c", `echo changed >> ${log}`],
    timeout: seconds(30),
  } as const;
  for (const run of [1, 2]) {
    await using scene = await outletScene(systemTime, { path, onChange });
    await scene.outlet.written;
    expect(readFileSync(log, "utf8")).toBe("changed\n");
    expect(scene.told()).toEqual(run === 1 ? ["file-written"] : []);
  }
  expect(readdirSync(folder).toSorted()).toEqual(["db.txt", "log"]);
});

test("a disk that is full is told, the old file stays, and the file is written when there is room", async () => {
  writeFileSync(path, SECOND);
  let isFull = true;
  let failures = 0;
  const files = watchedFiles((step) => {
    if (step !== "file.writeFile" || !isFull) return;
    failures += 1;
    if (failures === 9) isFull = false;
    expect(content()).toBe(SECOND);
    throw systemError("ENOSPC");
  });
  const time = hurriedTime();
  await using scene = await outletScene(time, { path }, { files });
  await scene.outlet.written;
  expect(content()).toBe(FIRST);
  expect(scene.outlet.isCurrent).toBe(true);
  const full = `file-failed: cannot write ${path} (ENOSPC): the disk is full; make room`;
  expect(scene.told()).toEqual([...Array<string>(9).fill(full), "file-written"]);
  // ever more slowly, up to a minute
  expect(time.waits.slice(0, 3)).toEqual([1_500, 2_500, 4_500]);
  expect(Math.max(...time.waits)).toBe(60_500);
});

test("a password that the format cannot hold keeps the old file, until there is another", async () => {
  await using scene = await outletScene(hurriedTime(), { path });
  await scene.outlet.written;
  scene.source.next({ ...madeUpLogin(2), password: new Secret("a\nb") });
  await eventually(() => scene.told().at(-1)?.startsWith("file-failed: the password has a line"));
  expect(content()).toBe(FIRST);
  expect(scene.outlet.isCurrent).toBe(false);
  scene.source.next(madeUpLogin(3));
  await eventually(() => scene.outlet.isCurrent, { every: 5 });
  expect(content()).toContain("user_3");
});

test("a file of two logins is written when both are there, and with each next one", async () => {
  const [a, b] = [madeUpLogin(1), { ...madeUpLogin(2), id: "b" }];
  await using orders = fakeSource("orders/readonly", a, systemTime);
  await using reports = fakeSource("reports", b, systemTime);
  const text = "{{[orders/readonly].username}} {{reports.username}}";
  await using changes = makeChanges({ environment: {}, onEvent: () => {}, time: systemTime });
  await using outlet = await startFile({
    file: {
      path,
      from: ["orders/readonly", "reports"],
      content: { kind: "template", text, source: "a.hbs" },
      mode: 0o600,
      owner: undefined,
      onChange: undefined,
    },
    publications: [orders.publication, reports.publication],
    authoritiesOf: () => "",
    changes,
    onEvent: () => {},
    time: systemTime,
  });
  await outlet.written;
  expect(content()).toBe("user_1 user_2");
  reports.next({ ...madeUpLogin(3), id: "c" });
  await eventually(() => content() === "user_1 user_3" && outlet.isCurrent, { every: 5 });
});

test("a command that an agent was killed before is run by the next, with the same content", async () => {
  const log = join(folder, "log");
  const command = ["sh", "-c", `echo changed >> ${log}`];
  const onChange = { kind: "command", command, timeout: seconds(30) } as const;
  writeFileSync(path, FIRST, { mode: 0o600 });
  writeFileSync(join(folder, ".db.txt.mayfly-changed"), "");
  await using scene = await outletScene(systemTime, { path, onChange });
  await scene.outlet.written;
  expect(readFileSync(log, "utf8")).toBe("changed\n");
  await eventually(() => readdirSync(folder).length === 2, { every: 5 });
  expect(scene.told()).toEqual([]);
});

test("a removed file is gone, and does not come back with the next login", async () => {
  await using scene = await outletScene(systemTime, { path });
  await scene.outlet.written;
  await scene.outlet.remove();
  scene.source.next(madeUpLogin(2));
  await new Promise(setImmediate);
  expect(readdirSync(folder)).toEqual([]);
  expect(scene.told()).toEqual(["file-written"]);
});
