import { execFileSync, spawn } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeChanges } from "../../../../client/agent/files/changes/changes.ts";
import { runLimited } from "../../../../client/agent/files/changes/run-limited.ts";
import { signalByFile } from "../../../../client/agent/files/changes/signal-by-file.ts";
import { withoutSecrets } from "../../../../client/agent/files/secret-forms.ts";
import { systemTime } from "../../../../client/time.ts";
import { Secret } from "../../../../core/secret.ts";
import { milliseconds, seconds } from "../../../../core/time.ts";
import { eventually } from "../../../support/eventually.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "run-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const PASSWORD = "p w'&\\=:";
const never = new AbortController().signal;

const run = (script: string, timeout = seconds(30), stop = never): ReturnType<typeof runLimited> =>
  runLimited({
    command: ["sh", "-c", script],
    timeout,
    environment: { PATH: process.env.PATH, PASSWORD },
    secrets: [new Secret(PASSWORD)],
    time: systemTime,
    stop,
  });

const failed = (message: string): object => ({ kind: "failed", message, isFinal: false });

test("a command that ends well says nothing", async () => {
  expect(await run("echo some words")).toEqual({ kind: "done" });
  expect(await run("exit 0 | head -c 10000000 /dev/zero")).toEqual({ kind: "done" });
});

test.each([
  ["exit 3", 'command "sh -c exit 3" ended with status 3'],
  ["kill -9 $$", 'command "sh -c kill -9 $$" was ended by SIGKILL'],
  [
    "echo out; echo a >&2; echo b >&2; exit 1",
    'command "sh -c echo out; echo a >&2; echo b >&2; exit 1" ended with status 1: b',
  ],
  ["echo only; exit 1", 'command "sh -c echo only; exit 1" ended with status 1: only'],
])("how %s failed is told with its last line", async (script, message) => {
  expect(await run(script)).toEqual(failed(message));
});

test("what a command prints is told without the password, in any of its forms", async () => {
  const forms = [
    PASSWORD,
    encodeURIComponent(PASSWORD),
    JSON.stringify(PASSWORD),
    Buffer.from(PASSWORD).toString("base64"),
  ];
  for (const form of forms) {
    writeFileSync(join(folder, "form"), `could not log in with ${form}!\n`);
    const outcome = await run(`cat ${join(folder, "form")} >&2; exit 1`);
    expect(outcome).toMatchObject({ kind: "failed" });
    expect(JSON.stringify(outcome)).toMatch(/log in with \S*\[secret\]\S*!/);
  }
  // a line that is cut off has a part of it, perhaps
  expect(await run(`printf %s "$PASSWORD"; head -c 4090 /dev/zero | tr '\\0' x; exit 1`)).toEqual(
    failed('command "sh -c printf %s \\"$PASSWORD\\"; head -c 4090 /dev/zer" ended with status 1'),
  );
});

test("there is no shell: arguments are the command's, as they are", async () => {
  const path = join(folder, "arguments");
  const node = "require('fs').writeFileSync(process.argv[1], process.argv[2])";
  const outcome = await runLimited({
    command: [process.execPath, "-e", node, path, "$(id) ; *"],
    timeout: seconds(30),
    environment: {},
    secrets: [],
    time: systemTime,
    stop: never,
  });
  expect(outcome).toEqual({ kind: "done" });
  expect(readFileSync(path, "utf8")).toBe("$(id) ; *");
});

test.each([
  ["/nonexistent/program", /"\/nonexistent\/program" cannot be run \(ENOENT\); check its path/],
  ["/dev/null", /"\/dev\/null" cannot be run \(EACCES\)/],
])("%s is no command", async (file, message) => {
  const options = { environment: {}, secrets: [], time: systemTime, stop: never };
  const outcome = await runLimited({ command: [file], timeout: seconds(30), ...options });
  expect(outcome).toMatchObject({ kind: "failed", message: expect.stringMatching(message) });
});

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
};

test("a command that hangs is ended with what it began, also if it ignores SIGTERM", async () => {
  const pids = join(folder, "pids");
  const script = `trap '' TERM; sleep 1000 & echo $$ $! > ${pids}.new; mv ${pids}.new ${pids}; wait; wait; sleep 1000`;
  // five seconds between the signals are two milliseconds here
  const time = {
    ...systemTime,
    wait: (length: number, signal?: AbortSignal) =>
      systemTime.wait(milliseconds(length === 30_000 ? 600_000 : length / 2_500), signal),
  };
  const stop = new AbortController();
  const running = runLimited({
    command: ["sh", "-c", script],
    timeout: seconds(30),
    environment: { PATH: process.env.PATH },
    secrets: [],
    time,
    stop: stop.signal,
  });
  const ids = await eventually(() => readFileSync(pids, "utf8").trim().split(" ").map(Number));
  expect(ids.filter(isAlive)).toHaveLength(2);
  stop.abort();
  expect(await running).toMatchObject({
    message: expect.stringMatching(/was ended with the agent$/),
  });
  await eventually(() => !ids.some(isAlive));
});

test("a command has as long as it is given", async () => {
  expect(await run("sleep 1000", milliseconds(20))).toEqual(
    failed('command "sh -c sleep 1000" did not end within 0.02 s, and was ended'),
  );
});

test("what a command leaves running does not keep the agent waiting", async () => {
  const pid = join(folder, "left");
  expect(await run(`sleep 1000 & echo $! > ${pid}`)).toEqual({ kind: "done" });
  process.kill(Number(readFileSync(pid, "utf8")), "SIGKILL");
});

test("a command does not get what the agent finds its AWS credentials by", async () => {
  const path = join(folder, "environment");
  const secret = {
    AWS_ACCESS_KEY_ID: "no-1",
    AWS_SECRET_ACCESS_KEY: "no-2",
    AWS_SESSION_TOKEN: "no-3",
    AWS_WEB_IDENTITY_TOKEN_FILE: "no-4",
    AWS_CONTAINER_CREDENTIALS_FULL_URI: "no-5",
    AWS_CONTAINER_AUTHORIZATION_TOKEN: "no-6",
  };
  await using changes = makeChanges({
    environment: { ...secret, PATH: process.env.PATH, AWS_REGION: "eu-west-1" },
    onEvent: () => {},
    time: systemTime,
  });
  await changes.follow({
    path: "a",
    onChange: { kind: "command", command: ["sh", "-c", `env > ${path}`], timeout: seconds(30) },
    secrets: [],
    onDone: () => Promise.resolve(),
  });
  const words = readFileSync(path, "utf8");
  expect(words).toContain("AWS_REGION=eu-west-1");
  expect(words).not.toContain("no-");
});

test("a signal goes to the process whose id is in the file", async () => {
  const pidFile = join(folder, "pid");
  const got = join(folder, "got");
  const receiver = run(`trap 'echo yes > ${got}; exit 0' HUP
    echo $$ > ${pidFile}.new; mv ${pidFile}.new ${pidFile}; while :; do sleep 0.02; done`);
  await eventually(() => readFileSync(pidFile, "utf8"));
  expect(await signalByFile({ kind: "signal", signal: "SIGHUP", pidFile })).toEqual({
    kind: "done",
  });
  expect(await receiver).toEqual({ kind: "done" });
  expect(readFileSync(got, "utf8")).toBe("yes\n");
  // it is gone now
  expect(await signalByFile({ kind: "signal", signal: "SIGHUP", pidFile })).toMatchObject({
    isFinal: true,
    message: expect.stringMatching(
      /^process \d+ of .* did not get SIGHUP: there is no such process$/,
    ),
  });
});

test.each(["0", "1", "-1", "-7", "", "1e3", "0x10", "12 13", "99999999999", String(process.pid)])(
  "%j in a file is no process to signal",
  async (text) => {
    const pidFile = join(folder, "wrong");
    writeFileSync(pidFile, `${text}\n`);
    expect(await signalByFile({ kind: "signal", signal: "SIGKILL", pidFile })).toEqual(
      failed(
        `${pidFile} has ${JSON.stringify(text)} in it, which is no process to signal; it must be the id of one`,
      ),
    );
  },
);

test("without a file there is nobody to signal, and nothing is tried again", async () => {
  const pidFile = join(folder, "none");
  expect(await signalByFile({ kind: "signal", signal: "SIGHUP", pidFile })).toEqual({
    kind: "failed",
    message: `cannot read ${pidFile} (ENOENT), so nobody got SIGHUP`,
    isFinal: true,
  });
});

test("a pipe in the file's place is not waited for", async () => {
  const pidFile = join(folder, "pipe");
  execFileSync("mkfifo", [pidFile]);
  const outcome = await signalByFile({ kind: "signal", signal: "SIGHUP", pidFile });
  expect(outcome).toMatchObject({
    kind: "failed",
    message: expect.stringContaining('has "" in it'),
  });
});

test.skipIf(process.getuid?.() !== 0)("root signals nobody for who is not root", async () => {
  const pidFile = join(folder, "of-1234");
  const [other, own] = [undefined, 1_234].map((uid) => spawn("sleep", ["60"], { uid }));
  try {
    writeFileSync(pidFile, `${other?.pid}`);
    chownSync(pidFile, 1_234, 1_234);
    const signal = { kind: "signal", signal: "SIGKILL", pidFile } as const;
    expect(await signalByFile(signal)).toEqual(
      failed(
        `process ${other?.pid} of ${pidFile} got no SIGKILL: it is not user 1234's, who wrote the file; correct it`,
      ),
    );
    writeFileSync(pidFile, `${own?.pid}`);
    expect(await signalByFile(signal)).toEqual({ kind: "done" });
  } finally {
    other?.kill("SIGKILL");
    own?.kill("SIGKILL");
  }
});

test("a password that has no UTF-8 does not stop the agent", () => {
  expect(withoutSecrets("no \ud800secret", [new Secret("\ud800secret")])).toBe("no [secret]");
});
