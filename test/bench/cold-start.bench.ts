import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const DIST = join(import.meta.dirname, "../../dist");
const ROUNDS = 15;

/**
 * What loading a function's code may take on this project's two cores while they do nothing else.
 * Unit: milliseconds. Lambda adds its own start, and gives a function of 256 MB less than one core.
 */
const BUDGET = 150;

/** Nothing that is measured comes out of a cache. */
const env = { PATH: process.env.PATH, AWS_REGION: "eu-west-1" };

/** Time that a fresh process takes to load a module, or nothing. Unit: milliseconds. */
function loading(url: string): number {
  const script = `const start = performance.now();
    await import(${JSON.stringify(url)}).catch(() => {});
    console.log("\\n" + (performance.now() - start));`;
  const args = ["--input-type=module", "-e", script];
  const out = execFileSync(process.execPath, args, { encoding: "utf8", env, stdio: "pipe" });
  return Number(out.trim().split("\n").at(-1));
}

const median = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

/** Functions read their environment when they load, and what they miss there is missed at once. */
test("each function loads within its budget", () => {
  execFileSync(process.execPath, ["build.ts"], { cwd: join(DIST, "..") });
  const functions = readdirSync(DIST)
    .map((name) => ({ name, path: join(DIST, name, "index.mjs") }))
    .filter(({ path }) => existsSync(path));
  const times = functions.map(({ name, path }) => ({
    name,
    kilobytes: Math.round(statSync(path).size / 1_000),
    milliseconds: median(Array.from({ length: ROUNDS }, () => loading(pathToFileURL(path).href))),
  }));
  console.log(`loading, median of ${ROUNDS} fresh processes; budget ${BUDGET} ms`);
  for (const { name, kilobytes, milliseconds } of times)
    console.log(
      `${name.padEnd(14)} ${String(kilobytes).padStart(4)} KB ${milliseconds.toFixed(0).padStart(5)} ms`,
    );
  expect(times.filter(({ milliseconds }) => milliseconds > BUDGET)).toEqual([]);
});
