import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { backgroundTime, systemTime } from "../../client/time.ts";
import { hours, milliseconds } from "../../core/time.ts";

test("a wait lasts as long as it says, by the clock that is never set", async () => {
  const before = systemTime.monotonic();
  await systemTime.wait(milliseconds(20));
  // a timer may fire a fraction of a millisecond early
  expect(systemTime.monotonic() - before).toBeGreaterThanOrEqual(19);
});

test("a signal ends a wait, and a wait whose signal has aborted does not begin", async () => {
  const stop = new AbortController();
  const waiting = systemTime.wait(hours(1), stop.signal);
  stop.abort();
  await waiting;
  await systemTime.wait(hours(1), stop.signal);
});

test("a wait longer than a timer can be is made of several", async () => {
  vi.useFakeTimers();
  try {
    let isOver = false;
    const waiting = systemTime.wait(hours(24 * 60)).then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(hours(24 * 60) - 1);
    expect(isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    await waiting;
  } finally {
    vi.useRealTimers();
  }
});

test("a background wait does not keep a process from ending", () => {
  const file = join(import.meta.dirname, "../../client/time.ts");
  const program = `import { backgroundTime } from ${JSON.stringify(file)}; void backgroundTime.wait(3_600_000);`;
  execFileSync(process.execPath, ["--input-type=module", "--eval", program], { timeout: 20_000 });
  expect(backgroundTime.now()).toBeGreaterThan(0);
});
