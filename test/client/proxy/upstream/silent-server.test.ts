import { describe, expect, test } from "vitest";
import { SilentServer } from "../../../../client/proxy/upstream/silent-server.ts";
import type { ClientTime } from "../../../../client/time.ts";
import { type Duration, type Instant, seconds } from "../../../../core/time.ts";

const LOOKS_EVERY = 5;
/** Of a probe that nobody answers: connecting, and the answer. */
const LONGEST_PROBE = 8;

interface World {
  /** Second of the last byte that the server sent. */
  lastByte: number;
  isAnswerOwed: boolean;
  /** Whether a probe that begins in this second is answered. */
  readonly answers: (second: number) => boolean;
}

/** Let a session look for as long as it takes. */
async function watch(
  world: World,
  until: number,
  events: Readonly<Record<number, () => void>> = {},
): Promise<{ lostAt: number | undefined; probes: number[] }> {
  let now = 0;
  const probes: number[] = [];
  const time: ClientTime = {
    now: () => seconds(now) as number as Instant,
    monotonic: () => seconds(now),
    wait: () => Promise.resolve(),
  };
  const server = new SilentServer({
    silence: () => ({
      isAnswerOwed: world.isAnswerOwed,
      length: seconds(now - world.lastByte) as Duration,
    }),
    probe: () => {
      probes.push(now);
      const isAnswered = world.answers(now);
      if (!isAnswered) now += LONGEST_PROBE;
      return Promise.resolve(isAnswered);
    },
    time,
  });
  const { signal } = new AbortController();
  for (let next = 0; now < until; next += LOOKS_EVERY) {
    now = Math.max(now, next);
    for (const [at, happen] of Object.entries(events)) if (Number(at) === now) happen();
    if (now === next && (await server.look(signal))) return { lostAt: now, probes };
  }
  return { lostAt: undefined, probes };
}

describe("a session", () => {
  test("whose server is gone is told of it within a minute", async () => {
    const world = { lastByte: 0, isAnswerOwed: true, answers: () => false };
    const { lostAt, probes } = await watch(world, 600);
    expect(probes).toEqual([20, 30]);
    expect(lostAt).toBe(38);
  });

  test.each([1, 2, 3, 4])("is told within a minute wherever %i s fall between looks", async (s) => {
    const world = { lastByte: s, isAnswerOwed: true, answers: () => false };
    const { lostAt } = await watch(world, 600);
    expect(Number(lostAt) - s).toBeLessThanOrEqual(60);
  });

  test("with a query of ten minutes on a healthy server goes on", async () => {
    const world = { lastByte: 0, isAnswerOwed: true, answers: () => true };
    const { lostAt, probes } = await watch(world, 600);
    expect(lostAt).toBeUndefined();
    expect(probes[0]).toBe(20);
    expect(probes.length).toBe(30);
  });

  test("is told within a minute also if the server goes in the middle of a query", async () => {
    const world = { lastByte: 0, isAnswerOwed: true, answers: (second: number) => second < 300 };
    const { lostAt } = await watch(world, 600);
    expect(lostAt).toBeGreaterThan(300);
    expect(lostAt).toBeLessThanOrEqual(360);
  });

  test("goes on if one probe failed and the next is answered", async () => {
    let asked = 0;
    const world = { lastByte: 0, isAnswerOwed: true, answers: () => asked++ % 2 === 1 };
    const { lostAt, probes } = await watch(world, 600);
    expect(lostAt).toBeUndefined();
    expect(probes.length).toBeGreaterThan(10);
  });

  test("goes on if the server has spoken between two probes that failed", async () => {
    const world: World = { lastByte: 0, isAnswerOwed: true, answers: () => false };
    const spoke = { 30: () => (world.lastByte = 30) };
    const { lostAt, probes } = await watch(world, 65, spoke);
    expect(probes).toEqual([20, 50, 60]);
    expect(lostAt).toBe(68);
  });

  test("that asks after minutes of silence has 20 seconds too", async () => {
    const world: World = { lastByte: 0, isAnswerOwed: false, answers: () => false };
    const asked = { 300: () => (world.isAnswerOwed = true) };
    const { lostAt, probes } = await watch(world, 600, asked);
    expect(probes).toEqual([320, 330]);
    expect(lostAt).toBe(338);
  });

  test("that is owed nothing does not ask", async () => {
    const world = { lastByte: 0, isAnswerOwed: false, answers: () => false };
    expect(await watch(world, 600)).toEqual({ lostAt: undefined, probes: [] });
  });
});

/** A clock that stands until it is told how many seconds pass. */
function makeClock(): { readonly time: ClientTime; readonly pass: (length: number) => void } {
  let now = 0;
  return {
    time: {
      now: () => 0 as Instant,
      monotonic: () => seconds(now),
      wait: () => Promise.resolve(),
    },
    pass: (length) => {
      now += length;
    },
  };
}

test("a server that speaks while a probe fails is not lost", async () => {
  let length = seconds(30);
  let failed = 0;
  const { time, pass } = makeClock();
  const server = new SilentServer({
    silence: () => ({ isAnswerOwed: true, length }),
    probe: () => {
      failed += 1;
      if (failed === 2) length = seconds(1);
      return Promise.resolve(false);
    },
    time,
  });
  const { signal } = new AbortController();
  for (let looks = 0; looks < 3; looks++) {
    expect(await server.look(signal)).toBe(false);
    pass(20);
  }
  expect(failed).toBe(2);
});

test("while a probe lasts, no other begins; what is given up loses nobody", async () => {
  let probes = 0;
  let finish = (): void => {};
  const { time, pass } = makeClock();
  const server = new SilentServer({
    silence: () => ({ isAnswerOwed: true, length: seconds(30) }),
    probe: () => {
      probes += 1;
      return new Promise((resolve) => {
        finish = () => resolve(false);
      });
    },
    time,
  });
  const given = new AbortController();
  await server.look(given.signal);
  pass(20);
  const first = server.look(given.signal);
  expect(await server.look(given.signal)).toBe(false);
  expect(probes).toBe(1);
  finish();
  expect(await first).toBe(false);
  const second = server.look(given.signal);
  given.abort();
  finish();
  expect(await second).toBe(false);
});
