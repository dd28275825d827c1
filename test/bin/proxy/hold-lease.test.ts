import { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { holdLease } from "../../../bin/proxy/hold-lease.ts";
import { needNode } from "../../../bin/proxy/need-node.ts";
import { runCommand } from "../../../bin/proxy/run-command.ts";
import { listenForSignals, statusOfSignal } from "../../../bin/proxy/signals.ts";
import { Exit, ExitStatus } from "../../../bin/terminal/exit.ts";
import { KeeperError } from "../../../client/keeper/errors.ts";
import type { Login, SourceFailure } from "../../../client/keeper/keeper.ts";
import { Secret } from "../../../core/secret.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { eventually } from "../../support/eventually.ts";
import { FakeKeeper } from "../../support/fake-keeper.ts";

const LOGIN: Login = {
  id: "orders/readonly/mf_1",
  username: "mf_1",
  password: new Secret("p"),
  host: "localhost",
  port: 5432,
  dbname: "orders",
  tls: "verify-full",
};

/** A keeper that tells what is done with it. */
class HeldKeeper extends FakeKeeper {
  isClosed = false;
  /** What `current` does instead of giving a login. */
  instead: ((signal: AbortSignal | undefined) => Promise<Login>) | undefined;

  constructor() {
    super(LOGIN);
  }

  override current(signal?: AbortSignal): Promise<Login> {
    return this.instead?.(signal) ?? super.current(signal);
  }

  override close(): Promise<void> {
    this.isClosed = true;
    return super.close();
  }
}

/** As a signal does that nobody else in this process listens to. */
const sendSignal = (): void => void process.emit("SIGUSR2", "SIGUSR2");

test("a lease is revoked when its use is over, and the status is that of the use", async () => {
  const listeners = process.listenerCount("SIGUSR2");
  const keeper = new HeldKeeper();
  await holdLease(keeper, async (login) => {
    expect(login).toBe(LOGIN);
    expect(keeper.isClosed).toBe(false);
    return 0;
  });
  expect(keeper.isClosed).toBe(true);
  const other = new HeldKeeper();
  await expect(holdLease(other, async () => 7)).rejects.toEqual(new ExitStatus(7));
  expect(other.isClosed).toBe(true);
  expect(process.listenerCount("SIGUSR2")).toBe(listeners);
});

test("a signal before there is a lease ends the wait for it, with the status of the signal", async () => {
  const keeper = new HeldKeeper();
  keeper.instead = (signal) =>
    new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason as Error));
      setImmediate(sendSignal);
    });
  const held = holdLease(keeper, () => Promise.reject(new Error("there is no lease to use")));
  await expect(held).rejects.toEqual(new ExitStatus(statusOfSignal("SIGUSR2")));
  expect(keeper.isClosed).toBe(true);
});

test("a signal before the use has begun ends it, with the status of the signal", async () => {
  const keeper = new HeldKeeper();
  const held = holdLease(keeper, async (_, __, stopping) => {
    sendSignal();
    stopping.throwIfAborted();
    return 0;
  });
  await expect(held).rejects.toEqual(new ExitStatus(statusOfSignal("SIGUSR2")));
  expect(keeper.isClosed).toBe(true);
});

test("a signal during the revocation does not end it", async () => {
  const keeper = new HeldKeeper();
  keeper.close = async () => {
    sendSignal();
    keeper.isClosed = true;
  };
  await holdLease(keeper, async (_, signals) => {
    signals.handle = () => {
      throw new Error("nobody uses the lease any more");
    };
    return 0;
  });
  expect(keeper.isClosed).toBe(true);
});

test.each<[SourceFailure, number]>([
  ["denied", Exit.notAllowed],
  ["absent", Exit.unavailable],
  ["limit", Exit.limit],
  ["throttled", Exit.tryAgain],
  ["unavailable", Exit.tryAgain],
  ["invalid", Exit.usage],
])("a source that answers %s: exit status %i", async (failure, status) => {
  const keeper = new HeldKeeper();
  keeper.instead = () => Promise.reject(new KeeperError(failure, "what, and what to do"));
  const held = holdLease(keeper, async () => 0);
  await expect(held).rejects.toMatchObject({ status, message: "what, and what to do" });
});

test.each([
  [true, 10],
  [false, 11],
])("on a terminal (%s), Ctrl-C is not sent to a command twice", async (onTerminal, expected) => {
  // it tells by a file that it listens, counts interrupts, and ends at SIGTERM; of two signals that
  // are sent at once, either may arrive first
  const { path, remove } = tempFolder("signals");
  const ready = join(path, "ready");
  const script = `let n = 10; process.on("SIGINT", () => n++).on("SIGTERM", () => setTimeout(() => process.exit(n), 200));
    require("node:fs").writeFileSync(process.env.READY, ""); setInterval(() => {}, 1_000);`;
  try {
    using signals = listenForSignals(() => {});
    const status = runCommand(
      { file: process.execPath, args: ["-e", script], env: { READY: ready }, onTerminal },
      signals,
    );
    await eventually(() => existsSync(ready));
    signals.handle("SIGINT");
    signals.handle("SIGTERM");
    expect(await status).toBe(expected);
  } finally {
    remove();
  }
});

test("a command that may not be signalled, as under sudo, is waited for all the same", async () => {
  const kill = vi.spyOn(ChildProcess.prototype, "kill").mockImplementation(function (
    this: ChildProcess,
  ) {
    this.emit("error", Object.assign(new Error("kill EPERM"), { code: "EPERM" }));
    return false;
  });
  try {
    using signals = listenForSignals(() => {});
    const command = { file: process.execPath, args: ["-e", "process.exitCode = 5"], env: {} };
    const status = runCommand({ ...command, onTerminal: false }, signals);
    signals.handle("SIGTERM");
    signals.handle("SIGTERM");
    expect(await status).toBe(5);
    const absent = { ...command, file: "/no/such/program", onTerminal: false };
    await expect(runCommand(absent, signals)).rejects.toThrow("ENOENT");
  } finally {
    kill.mockRestore();
  }
});

test("a Node that is too old is told in one sentence", () => {
  expect(() => needNode("exec", "24.0.0")).not.toThrow();
  expect(() => needNode("exec", "22.18.0")).toThrow(
    "mayfly exec needs Node 24 or later, and this is Node 22.18.0; install a newer one",
  );
});
