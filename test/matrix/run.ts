import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const here = import.meta.dirname;
const root = join(here, "..", "..");
const majors = [14, 15, 16, 17] as const;
const native = (major: number): string =>
  join(here, "node_modules", `postgres${major}-${process.platform}-${process.arch}`, "native");

/** What the closing line of `test/support/closing-line.ts` says. */
interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

function install(): void {
  // no scripts: local/postgres/postgres-binaries.ts completes the library links
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts"], { cwd: here, stdio: "inherit" });
  if (status !== 0) throw new Error("npm ci in test/matrix failed; its output is above");
}

function countIn(output: string): Count | undefined {
  const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed, (\d+) skipped$/gm)];
  const [, passed, failed, skipped] = lines.at(-1) ?? [];
  return passed === undefined
    ? undefined
    : { passed: Number(passed), failed: Number(failed), skipped: Number(skipped) };
}

/** Run the tests on one major. Output is shown only when they fail. */
function testOn(major: number, filters: readonly string[]): Count {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules", "vitest", "vitest.mjs"),
      "run",
      "--project",
      "postgres",
      ...filters,
    ],
    {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 256 * 1024 * 1024,
      env: { ...process.env, MAYFLY_TEST_POSTGRES: native(major), NO_COLOR: "1" },
    },
  );
  const count = countIn(stdout);
  if (status !== 0 || count === undefined) console.log(stdout + stderr);
  const { passed, failed, skipped } = count ?? { passed: 0, failed: 0, skipped: 0 };
  return {
    passed,
    failed: status === 0 && count !== undefined ? failed : Math.max(1, failed),
    skipped,
  };
}

const say = ({ passed, failed, skipped }: Count): string =>
  `${passed} passed, ${failed} failed, ${skipped} skipped`;

/** Arguments: majors to run on, and file filters for Vitest. */
function main(args: readonly string[]): number {
  if (!existsSync(native(17))) install();
  const chosen = majors.filter((major) => args.includes(String(major)));
  const filters = args.filter((arg) => !/^\d+$/.test(arg));
  let sum: Count = { passed: 0, failed: 0, skipped: 0 };
  for (const major of chosen.length > 0 ? chosen : majors) {
    if (!existsSync(native(major))) {
      console.log(`PostgreSQL ${major} is not published for ${process.platform}-${process.arch}`);
      continue;
    }
    const count = testOn(major, filters);
    console.log(`PostgreSQL ${major}: ${say(count)}`);
    sum = {
      passed: sum.passed + count.passed,
      failed: sum.failed + count.failed,
      skipped: sum.skipped + count.skipped,
    };
  }
  console.log(say(sum));
  return sum.failed > 0 || sum.passed === 0 ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
