import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  type FileSystem,
  WholeFile,
  type WholeFileOptions,
} from "../../../../client/agent/files/whole-file.ts";
import { systemError, watchedFiles } from "../../../support/faulty-files.ts";
import { newFolder } from "../../../support/file-outlet.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = newFolder();
  path = join(folder, "db.txt");
});
afterEach(() => rmSync(folder, { recursive: true }));

const fileAt = (options: Partial<WholeFileOptions> = {}): WholeFile =>
  new WholeFile({ path, mode: 0o600, owner: undefined, isFollowed: false, ...options });

const OLD = "the old content\n";
const NEW = "the new content, which is longer\n".repeat(100);
const MARK = ".db.txt.mayfly-changed";

test("content, mode and owner are the file's before it has its name", async () => {
  const steps: string[] = [];
  const [user, group] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  const files = watchedFiles((step) => steps.push(step));
  const file = fileAt({ mode: 0o640, owner: { user, group }, files });
  expect(await file.write(OLD)).toBe("written");
  expect(statSync(path).mode & 0o7777).toBe(0o640);
  expect(steps.slice(steps.indexOf("open"))).toEqual([
    "open",
    "file.chown",
    "file.chmod",
    "file.writeFile",
    "file.sync",
    "rename",
    "open",
    "file.sync",
  ]);
});

test("what is in the file already is not written again; mode alone is corrected", async () => {
  await fileAt().write(OLD);
  const { ino } = statSync(path);
  expect(await fileAt().write(OLD)).toBe("same");
  expect(statSync(path).ino).toBe(ino);
  expect(await fileAt({ mode: 0o640 }).write(OLD)).toBe("same");
  expect(statSync(path).mode & 0o777).toBe(0o640);
  expect(await fileAt({ mode: 0o640 }).write(NEW)).toBe("written");
});

test("a change stays open until it is closed, also for the next agent", async () => {
  const file = fileAt({ isFollowed: true });
  expect(await file.isChangeOpen()).toBe(false);
  await file.write(OLD);
  expect(await file.isChangeOpen()).toBe(true);
  const next = fileAt({ isFollowed: true });
  expect([await next.write(OLD), await next.isChangeOpen()]).toEqual(["same", true]);
  await next.closeChange();
  await next.closeChange();
  expect([await next.write(OLD), await next.isChangeOpen()]).toEqual(["same", false]);
});

test("what a killed agent left is removed, and nothing else", async () => {
  const names = [".db.txt.mayfly-new-0011", ".other.txt.mayfly-new-0011", ".db.txt", "a"];
  for (const name of names) writeFileSync(join(folder, name), "x");
  await fileAt().removeLeftovers();
  expect(readdirSync(folder).toSorted()).toEqual(names.slice(1).toSorted());
});

describe("a path", () => {
  test("that is a link leads to the file that is written, and stays a link", async () => {
    const [inner, target] = [join(folder, "inner"), join(folder, "inner", "real.txt")];
    mkdirSync(inner);
    symlinkSync("inner/second", path);
    symlinkSync("real.txt", join(inner, "second"));
    for (const content of [OLD, NEW]) {
      expect(await fileAt().write(content)).toBe("written");
      expect(readFileSync(target, "utf8")).toBe(content);
    }
    expect(readlinkSync(path)).toBe("inner/second");
    expect(readdirSync(folder).toSorted()).toEqual(["db.txt", "inner"]);
    await fileAt().remove();
    expect(readdirSync(inner)).toEqual(["second"]);
  });

  test("that is a link of another user is refused: who may make links could name any file", async () => {
    symlinkSync("real.txt", path);
    const files: FileSystem = {
      ...watchedFiles(() => {}),
      lstat: (async (name: string) => {
        const stats = statSync(name, { throwIfNoEntry: false });
        if (stats !== undefined) return stats;
        return { uid: 12_345, isFile: () => false, isSymbolicLink: () => true };
      }) as unknown as FileSystem["lstat"],
    };
    await expect(fileAt({ files }).write(OLD)).rejects.toThrow(
      `${path} is a link of user 12345, who is not root; remove it`,
    );
  });

  test("that is a link to itself, a folder, or no file is refused in words", async () => {
    symlinkSync("db.txt", path);
    await expect(fileAt().write(OLD)).rejects.toThrow(
      `${path} is a link that leads to others without end; remove it`,
    );
    await expect(fileAt({ path: folder }).write(OLD)).rejects.toThrow(
      `${folder} is a folder; give a file`,
    );
    await expect(fileAt({ path: "/dev/null" }).write(OLD)).rejects.toThrow(
      "/dev/null is no regular file; give a file",
    );
  });

  test("in a folder that does not exist is refused in words", async () => {
    await expect(fileAt({ path: join(folder, "none", "a") }).write(OLD)).rejects.toThrow(
      `cannot write ${join(folder, "none", "a")} (ENOENT): there is no such folder; make it`,
    );
    writeFileSync(path, OLD);
    await expect(fileAt({ path: join(path, "a") }).write(OLD)).rejects.toThrow(/ENOTDIR.*check/);
    await expect(fileAt({ path: join(folder, "x".repeat(250)) }).write(OLD)).rejects.toThrow(
      /ENAMETOOLONG.*choose a shorter one/,
    );
  });

  test("is removed, also if it is gone", async () => {
    const file = fileAt({ isFollowed: true });
    await file.write(OLD);
    await file.remove();
    await file.remove();
    expect(readdirSync(folder)).toEqual([]);
    await fileAt({ path: join(folder, "none", "a") }).remove();
  });
});

test("a user who may not write in the folder is told so", async () => {
  if (process.getuid?.() === 0) return; // root may
  chmodSync(folder, 0o500);
  await expect(fileAt().write(OLD)).rejects.toThrow(/EACCES.*change its owner or mode/);
  chmodSync(folder, 0o700);
});

test.each([
  ["file.writeFile", "ENOSPC", /\(ENOSPC\): the disk is full; make room$/],
  ["open", "EROFS", /\(EROFS\): the file system is read-only; mount it for writing, or /],
  ["open", "EACCES", /\(EACCES\): this user may not write in the folder; /],
  ["file.sync", "EDQUOT", /\(EDQUOT\): the quota is used up; make room$/],
  ["rename", "EIO", /\(EIO\): see what the system says of it$/],
])("%s fails with %s: the old file stays, in words", async (at, code, words) => {
  await fileAt().write(OLD);
  const files = watchedFiles((step) => {
    if (step === at) throw systemError(code);
  });
  await expect(fileAt({ files }).write(NEW)).rejects.toThrow(words);
  expect(readFileSync(path, "utf8")).toBe(OLD);
  expect(readdirSync(folder)).toEqual(["db.txt"]);
});

test("only root may give a file away, and who is not root hears so", async () => {
  const files = watchedFiles((step) => {
    if (step === "file.chown") throw systemError("EPERM", "fchown");
  });
  await expect(fileAt({ owner: { user: 7, group: 8 }, files }).write(OLD)).rejects.toThrow(
    `cannot write ${path} (EPERM): only root may give a file to user 7, group 8; leave the owner out`,
  );
});

test("a file system that cannot make folders durable is good enough", async () => {
  let syncs = 0;
  const files = watchedFiles((step) => {
    if (step === "file.sync" && ++syncs === 2) throw systemError("EINVAL", "fsync");
  });
  expect(await fileAt({ files }).write(OLD)).toBe("written");
  expect(syncs).toBe(2);
});

/** Names of the steps of a write of new content. */
async function stepsOf(write: (files: FileSystem) => Promise<unknown>): Promise<string[]> {
  const steps: string[] = [];
  await write(watchedFiles((step) => steps.push(step)));
  return steps;
}

test("whatever step fails, the file is old or new, and the next try writes it and has the change open", async () => {
  const write = (files?: FileSystem): Promise<unknown> =>
    fileAt({ isFollowed: true, mode: 0o640, ...(files && { files }) }).write(NEW);
  const reset = async (): Promise<void> => {
    const file = fileAt({ isFollowed: true });
    await file.write(OLD);
    await file.closeChange();
  };
  await reset();
  const steps = await stepsOf(write);
  expect(steps.length).toBeGreaterThan(10);
  for (const [at, step] of steps.entries())
    for (const code of ["EIO", "ENOSPC", "EACCES"]) {
      await reset();
      let done = 0;
      const faulty = watchedFiles(() => {
        if (done++ === at) throw systemError(code);
      });
      // what cannot be compared is written; what cannot be removed is left over
      await write(faulty).catch(() => {});
      const isWhole = [OLD, NEW].includes(readFileSync(path, "utf8"));
      expect({ step, at, code, isWhole }).toMatchObject({ isWhole: true });
      await fileAt().removeLeftovers();
      await write();
      expect(readFileSync(path, "utf8")).toBe(NEW);
      expect(statSync(path).mode & 0o777).toBe(0o640);
      expect(readdirSync(folder).toSorted()).toEqual([MARK, "db.txt"]);
    }
});

test("killed before any step, a writer leaves the old file or the new one, and the mark of a change", async () => {
  const contents = [OLD, NEW];
  const program = join(import.meta.dirname, "../../../support/killed-writer.ts");
  const seen = new Set<string>();
  writeFileSync(path, OLD);
  let isOver = false;
  const reading = (async () => {
    while (!isOver) {
      seen.add(readFileSync(path, "utf8"));
      await new Promise(setImmediate);
    }
  })();
  const killedBefore = async (point: string): Promise<string | null> => {
    const before = readFileSync(path, "utf8");
    const content = contents.find((each) => each !== before) ?? "";
    rmSync(join(folder, MARK), { force: true });
    const child = spawn(process.execPath, [program, path, content, point], { stdio: "ignore" });
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    const isMarked = readdirSync(folder).includes(MARK);
    expect(isMarked || readFileSync(path, "utf8") === before).toBe(true);
    return signal;
  };
  for (const point of ["open 1", "open 2", "file.writeFile 1", "rename 1", "open 3"])
    expect({ point, signal: await killedBefore(point) }).toEqual({ point, signal: "SIGKILL" });
  expect(readFileSync(path, "utf8")).toBe(NEW);
  expect(readdirSync(folder)).toHaveLength(2);
  expect(await killedBefore("rename 1")).toBe("SIGKILL");
  expect(readdirSync(folder)).toHaveLength(3);
  expect(await killedBefore("nothing")).toBe(null);
  isOver = true;
  await reading;
  expect([...seen].filter((each) => !contents.includes(each))).toEqual([]);
  // the last one was not killed, and has removed what the others left
  expect(readdirSync(folder).toSorted()).toEqual([MARK, "db.txt"]);
});
