import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { problemsOf, released } from "./changelog.ts";

const ROOT = join(import.meta.dirname, "..");
const CHANGELOG = join(ROOT, "CHANGELOG.md");

const USAGE = `usage: npm run release -- <version>
       npm run release -- check <tag> <repository>

Write the version into package.json and its lock, and what is unreleased in CHANGELOG.md under it.
Then commit, and push the tag v<version>: a workflow checks and publishes it.
exit status: 0 done  1 not done  64 usage`;

const EX_USAGE = 64;

const manifest = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const changelog = readFileSync(CHANGELOG, "utf8");

function check(tag: string, repository: string): number {
  const problems = problemsOf({ tag, repository, manifest, changelog });
  for (const problem of problems) console.error(problem);
  return problems.length > 0 ? 1 : 0;
}

function release(next: string): number {
  const date = new Date().toISOString().slice(0, 10);
  const text = released(changelog, { current: manifest.version, next, date });
  const flags = ["--no-git-tag-version", "--allow-same-version"];
  execFileSync("npm", ["version", next, ...flags], { cwd: ROOT, stdio: "inherit" });
  writeFileSync(CHANGELOG, text);
  console.log(`next: git commit -am "release ${next}" && git tag v${next}, and push both`);
  return 0;
}

function main([first = "--help", ...rest]: readonly string[]): number {
  const [tag, repository] = rest;
  if (first === "check" && tag !== undefined && repository !== undefined)
    return check(tag, repository);
  if (!first.startsWith("-") && first !== "check" && rest.length === 0) return release(first);
  console.error(USAGE);
  return first === "--help" ? 0 : EX_USAGE;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
