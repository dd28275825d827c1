import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { problemsOf, released, sectionOf } from "../../packaging/changelog.ts";

const root = join(import.meta.dirname, "..", "..");
const BEFORE = "# Changelog\n\n## Unreleased\n\n- New.\n\n## 0.1.0 - 2026-11-29\n\n- Old.\n";
const date = "2026-12-24";

test("a release puts what is unreleased under its version, and begins anew", () => {
  const after = released(BEFORE, { current: "0.1.0", next: "0.2.0", date });
  expect(sectionOf(after, "Unreleased")).toBe("");
  expect(sectionOf(after, "0.2.0")).toBe("- New.");
  expect(sectionOf(after, "0.1.0")).toBe("- Old.");
  expect(after).toContain("## 0.2.0 - 2026-12-24");
  expect(() => released(after, { current: "0.2.0", next: "0.2.1", date })).toThrow(
    'CHANGELOG.md has nothing under "## Unreleased"; say what has changed',
  );
});

test.each([
  ["0.1.0", "0.1.1"],
  ["0.1.9", "0.2.0"],
  ["0.9.3", "1.0.0"],
  ["0.2.0", "0.2.0"], // never released
])("%s may be followed by %s", (current, next) => {
  expect(released(BEFORE, { current, next, date })).toContain(`## ${next} - ${date}`);
});

test.each([
  ["0.1.0", "0.1.0", "0.1.0 does not follow 0.1.0"],
  ["0.1.0", "0.3.0", "0.3.0 does not follow 0.1.0"],
  ["0.2.0", "0.1.9", "0.1.9 does not follow 0.2.0"],
  ["0.1.0", "v0.2.0", '"v0.2.0" is not a version'],
])("%s may not be followed by %s", (current, next, words) => {
  expect(() => released(BEFORE, { current, next, date })).toThrow(words);
});

describe("what is published", () => {
  const release = {
    tag: "v0.1.0",
    repository: "https://github.com/acme/mayfly",
    manifest: { version: "0.1.0", repository: { url: "git+https://github.com/acme/mayfly.git" } },
    changelog: BEFORE,
  };

  test("fits its tag, its changelog and its repository", () => {
    expect(problemsOf(release)).toEqual([]);
  });

  test("is refused with everything that does not fit", () => {
    const repository = "https://github.com/fork/mayfly";
    const changelog = "# Changelog\n\n## Unreleased\n\n- New.\n";
    const problems = problemsOf({ ...release, tag: "v0.2.0", repository, changelog });
    expect(problems).toEqual([
      "the tag is v0.2.0, and package.json says 0.1.0",
      'CHANGELOG.md has nothing under "## 0.1.0"',
      expect.stringMatching(/repository: "git\+https:.*acme.*" is not "git\+https:.*fork/),
    ]);
  });
});

test("workflows run scripts that exist, and only the release may speak for the project", () => {
  const folder = join(root, ".github", "workflows");
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const texts = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "utf8")]);
  expect(texts.map(([name]) => name)).toEqual(["ci.yml", "release.yml"]);
  for (const [name, text = ""] of texts) {
    for (const [, script = ""] of text.matchAll(/npm run ([\w:]+)/g))
      expect(scripts).toHaveProperty([script]);
    expect(text.includes("id-token: write")).toBe(name === "release.yml");
    expect(text).not.toMatch(/secrets\.|NPM_TOKEN/);
  }
});
