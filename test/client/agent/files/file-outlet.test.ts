import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemTime } from "../../../../client/time.ts";
import { seconds } from "../../../../core/time.ts";
import { eventually } from "../../../support/eventually.ts";
import { madeUpLogin, newFolder, outletScene } from "../../../support/file-outlet.ts";

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
