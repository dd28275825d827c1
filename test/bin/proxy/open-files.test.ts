import { readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { filesIn } from "../../../bin/proxy/file-options.ts";
import { type OpenFilesOptions, openFiles } from "../../../bin/proxy/open-files.ts";
import type { LogEvent } from "../../../bin/proxy/proxy-log.ts";
import { Failure } from "../../../bin/terminal/exit.ts";
import type { Instant } from "../../../core/time.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";
import { madeUpLogin, newFolder } from "../../support/file-outlet.ts";

let folder: string;
beforeEach(() => {
  folder = newFolder();
});
afterEach(() => rmSync(folder, { recursive: true }));

const never = new AbortController().signal;
const keeper = new FakeKeeper(madeUpLogin(1));
const optionsFor = (...file: readonly string[]): OpenFilesOptions => ({
  keeper,
  name: "orders/readonly",
  files: filesIn({ file, template: [] }, "orders/readonly"),
  authorities: "the authorities\n",
  onEvent: () => {},
  onChange: () => {},
});

test("files are written before the answer, follow the lease, and are removed at the end", async () => {
  const [lines, ca] = [join(folder, "db.txt"), join(folder, "ca.pem")];
  const events: LogEvent[] = [];
  let changes = 0;
  {
    await using _ = await openFiles(
      {
        ...optionsFor(`lines:${lines}`, `ca:${ca}`),
        onEvent: (event) => events.push(event),
        onChange: () => {
          changes += 1;
        },
      },
      never,
    );
    expect(readFileSync(lines, "utf8")).toContain("user_1");
    expect(readFileSync(ca, "utf8")).toContain("the authorities\n");
    expect(changes).toBe(0);
    keeper.next(madeUpLogin(2), 0 as Instant);
    await eventually(() => changes === 1, { every: 5 });
    expect(readFileSync(lines, "utf8")).toContain("user_2");
    expect(events).toEqual([{ kind: "file-written", path: lines, usernames: ["user_2"] }]);
  }
  expect(readdirSync(folder)).toEqual([]);
  expect(keeper.usesOf(madeUpLogin(2))).toBe(0);
});

test("a file that cannot be written is told before the command runs, and the others are removed", async () => {
  const missing = join(folder, "none", "a");
  const opening = openFiles(optionsFor(`env:${join(folder, "a")}`, `env:${missing}`), never);
  await expect(opening).rejects.toEqual(
    new Failure(78, `cannot write ${missing} (ENOENT): there is no such folder; make it`),
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("a signal while files are written ends it", async () => {
  symlinkSync("a", join(folder, "a"));
  const stopping = AbortSignal.abort(new Error("stopped"));
  await expect(openFiles(optionsFor(`env:${join(folder, "b")}`), stopping)).rejects.toThrow(
    "stopped",
  );
  expect(readdirSync(folder)).toEqual(["a"]);
});
