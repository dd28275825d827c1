import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type GoOutcome, problemOf } from "./go-outcome.ts";
import { anything, translatable } from "./random-templates.ts";

// npm run test:go-templates: asks Go itself about random templates. With --keep, a few hundred of
// them become the cases of `npm test`, which needs no Go.
const [count = "20000"] = process.argv.slice(2).filter((each) => /^\d+$/.test(each));
const isKept = process.argv.includes("--keep");
const seed = isKept ? 14 : Math.floor(Math.random() * 2 ** 31);
const half = Math.ceil(Number(count) / 2);
const valid = fc.sample(translatable, { numRuns: half, seed });
const wild = fc.sample(anything, { numRuns: half, seed });

const outcomes = JSON.parse(
  execFileSync("go", ["run", join(import.meta.dirname, "go-text/main.go")], {
    input: JSON.stringify([...valid, ...wild]),
    encoding: "utf8",
    maxBuffer: 2 ** 30,
  }),
) as readonly GoOutcome[];

const problems = outcomes.flatMap((outcome, at) => problemOf(outcome, at < valid.length) ?? []);
for (const problem of problems.slice(0, 10)) process.stderr.write(`${problem}\n\n`);
const taken = outcomes.filter(({ output }) => output !== null).length;
process.stdout.write(
  `${outcomes.length} templates of seed ${seed}, ${taken} of which Go takes: ${problems.length} differ\n`,
);
if (isKept)
  writeFileSync(
    join(import.meta.dirname, "go-outcomes.json"),
    `${JSON.stringify(outcomes, null, 1)}\n`,
  );
process.exitCode = problems.length === 0 ? 0 : 1;
