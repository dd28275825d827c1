import { afterAll, expect, test } from "vitest";
import type { RotationStrategy } from "../../core/rotation/settings.ts";
import type { Side } from "../faults/points.ts";
import { type CrashRow, crashEverywhere } from "../support/rotation-crash.ts";
import { rotationScene } from "../support/rotations.ts";

const table: CrashRow[] = [];

/** `npm run test:crash` kills at every call, and prints it; `npm test` at every fifth. */
const isWhole = process.env.MAYFLY_CRASH_TABLE === "1";
const EVERY = isWhole ? 1 : 5;

afterAll(() => {
  if (!isWhole) return;
  const widths = [17, 12, 6, 17, 34];
  const line = (...cells: readonly string[]): string =>
    cells
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join(" ")
      .trimEnd();
  const lines = table.map(({ strategy, step, side, call, meanwhile, problems }) =>
    line(strategy, step, side, call, meanwhile, problems.join(", ") || "right"),
  );
  const head = line("strategy", "killed in", "side", "call", "let in meanwhile", "after the retry");
  process.stdout.write(`\n${[head, ...lines].join("\n")}\n`);
  const wrong = table.filter(({ problems }) => problems.length > 0).length;
  process.stdout.write(`\n${table.length} kills, ${wrong} wrong after the retry\n`);
});

/** Calls of a rotation, of AWS and of SQL: fewer would mean that kills were missed. */
const LEAST: Readonly<Record<RotationStrategy, number>> = {
  "single-user": 25,
  "alternating-users": 36,
  "master-user": 28,
  "issuer-login": 32,
};

test.each(
  (Object.keys(LEAST) as RotationStrategy[]).flatMap((strategy) =>
    (["before", "after"] as const).map((side): [RotationStrategy, Side] => [strategy, side]),
  ),
)(
  "%s: killed %s any one call, the retry ends with AWSCURRENT let in, AWSPREVIOUS known and no password lost",
  async (strategy, side) => {
    const scene = await rotationScene(strategy);
    const rows = await crashEverywhere(scene, side, EVERY);
    table.push(...rows);
    expect(rows.filter(({ problems }) => problems.length > 0)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(Math.floor(LEAST[strategy] / EVERY));
    expect(new Set(rows.map(({ step }) => step)).size).toBe(4);
    // the one that nobody uses is changed: what applications hold works at every moment
    const hasTwoUsers = scene.settings.usernames.length === 2;
    const cutOff = rows.filter(({ meanwhile }) => !meanwhile.includes("AWSCURRENT"));
    expect(hasTwoUsers ? cutOff : []).toEqual([]);
  },
);
