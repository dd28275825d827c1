import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { makeProgram } from "../bin/commands/main.ts";
import { ACCOUNT_CHECKS } from "../bin/doctor/aws/look-at-account.ts";
import { WAY_CHECKS } from "../bin/doctor/way/look-at-way.ts";
import { EXIT_HELP, Exit, statusOfType } from "../bin/terminal/exit.ts";
import { AgentCounts } from "../client/agent/agent-counts.ts";
import { agentMetrics } from "../client/agent/agent-metrics.ts";
import { ENTRIES } from "../client/agent/configuration-schema.ts";
import { VERDICTS } from "../core/doctor/finding.ts";
import { IDENTITY_CHECKS } from "../core/doctor/identity/look-at-identity.ts";
import * as errors from "../core/errors.ts";
import { METRICS } from "../core/metric.ts";
import { ENDPOINT_CHECKS } from "../lambda/aws/endpoint-reach.ts";
import { DATABASE_CHECKS } from "../lambda/postgres/doctor/postgres-doctor.ts";
import { VERBS } from "../lambda/postgres/leases/verbs.ts";
import { editorSchema } from "../packaging/editor-schema.ts";
import { filesOf } from "./clients/snippets/page-files.ts";
import { LANGUAGES } from "./clients/snippets/programs.ts";
import { blocksOf, pages, proseOf, read, root } from "./support/pages.ts";

/** The anchors that a page's headings have on GitHub. */
const anchorsOf = (path: string): string[] =>
  [...proseOf(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .trim()
      .replaceAll(/\s/g, "-"),
  );

/** The string literals of a union type, by its name. */
function unionIn(path: string, start: RegExp): string[] {
  const [, body = ""] = start.exec(read(path)) ?? [];
  return [...body.matchAll(/"([^"]+)"/g)].map(([, value = ""]) => value);
}

test.each(pages)("the links of %s lead somewhere", (page) => {
  const broken: string[] = [];
  for (const [, target = ""] of proseOf(page).matchAll(/\]\(([^)\s]+)\)/g)) {
    if (target.startsWith("https:")) continue;
    const [file = "", anchor] = target.split("#");
    const path = file === "" ? page : relative(root, join(root, dirname(page), file));
    if (!existsSync(join(root, path))) broken.push(target);
    else if (anchor !== undefined && !anchorsOf(path).includes(anchor)) broken.push(target);
  }
  expect(broken).toEqual([]);
});

test.each(pages)("the commands and JSON of %s are real", (page) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = [...read(page).matchAll(/\bnpm (?:run (?:--?\w+ )*([\w:-]+)|(test)\b)/g)];
  const unknown = named
    .map(([, run, plain]) => run ?? plain ?? "")
    .filter((name) => !scripts[name]);
  expect(unknown).toEqual([]);
  for (const { text } of blocksOf(page).filter(({ language }) => language === "json"))
    expect(() => JSON.parse(text) as unknown).not.toThrow();
  const payloads = [...read(page).matchAll(/(?:--payload|operate) '([^']+)'/g)];
  for (const [, payload = ""] of payloads) expect(JSON.parse(payload)).toHaveProperty("action");
});

test("the README fits, and opens with the two commands", () => {
  const lines = read("README.md").split("\n");
  expect(lines.length).toBeLessThanOrEqual(200);
  expect(lines.slice(0, 6).join("\n")).toMatch(/npm ci && npm run demo[\s\S]*npm ci && npm test/);
});

test("lines are at most 100 columns wide, but for tables and what programs print", () => {
  const wide = pages.flatMap((page) =>
    read(page)
      .replaceAll(/^```(\w*)\n[\s\S]*?^```$/gm, (block, language) => (language ? block : ""))
      .split("\n")
      .filter((line) => line.length > 100 && !line.startsWith("|"))
      .map((line) => `${page}: ${line}`),
  );
  expect(wide).toEqual([]);
});

test("every table has a header, and every row as many cells", () => {
  const broken = pages.flatMap((page) => {
    const tables = proseOf(page).matchAll(/(?:^\|.*\n?)+/gm);
    return [...tables].flatMap(([table]) => {
      const [header = "", line = "", ...rows] = table.trimEnd().split("\n");
      const cells = (row: string) => row.replaceAll("\\|", "").split("|").length;
      const isWhole = /^\|(?: :?-+:? \|)+$/.test(line);
      return isWhole
        ? [line, ...rows]
            .filter((row) => cells(row) !== cells(header))
            .map((row) => `${page}: ${row}`)
        : [`${page}: ${header}`];
    });
  });
  expect(broken).toEqual([]);
});

test("no page names a path of a machine", () => {
  const found = pages.flatMap((page) =>
    [...read(page).matchAll(/(?<![\w.])\/(?:home|root|Users)\b\S*/g)].map(
      ([path]) => `${page}: ${path}`,
    ),
  );
  expect(found).toEqual([]);
});

/** The rows of the table of docs/errors.md that begin with an `errorType`. */
const errorRows = (): readonly (readonly string[])[] =>
  [...read("docs/errors.md").matchAll(/^\| `(\w+Error)` \| (.+) \|$/gm)].map(([, name, rest]) => [
    name ?? "",
    ...(rest ?? "").split(" | "),
  ]);

test("the table of docs/errors.md has every errorType, whether to retry it, and its exit status", () => {
  const classes = Object.values(errors).filter(
    (each): each is typeof errors.ConfigError =>
      typeof each === "function" && each.prototype instanceof errors.MayflyError,
  );
  const made = [
    ...classes
      .filter((each) => ![errors.UnavailableError].some((base) => base === (each as unknown)))
      .map((each) => Reflect.construct(each, ["x", "y"]) as errors.MayflyError),
    ...errors.SERVICES.map((service) => new errors.UnavailableError(service, "x")),
  ];
  const expected = new Map([
    ...made.map(({ name, retryable }) => [name, retryable] as const),
    ["InternalError", false] as const,
  ]);
  const rows = errorRows();
  expect(new Set(rows.map(([name]) => name))).toEqual(new Set(expected.keys()));
  expect(rows).toHaveLength(expected.size);
  for (const [name = "", , , retry, exit] of rows) {
    expect(`${name} ${retry}`).toMatch(expected.get(name) ? / \*\*yes\*\*/ : / no/);
    expect(errors.isRetryable(name)).toBe(expected.get(name));
    expect(`${name} ${exit}`).toBe(`${name} ${statusOfType(name)}`);
  }
});

test("docs/errors.md has every step that a database can reject", () => {
  const sources = readdirSync(join(root, "lambda"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => read(join("lambda", name)))
    .join("\n");
  const calls =
    /\b(?:one|contended|step|asOwner|(?:session|admin)\.(?:rows|apply|alone)|retryContended|attempt|maintenance\.query|fromPgError)(?:<[^(]*>)?\(\s*(?:step\()?["`]([^"`]+)["`]|\bstep = ["`]([^"`]+)["`]/g;
  const steps = [...sources.matchAll(calls)].map(([, call, constant]) =>
    (call ?? constant ?? "").replace(/\$\{.*$/, ""),
  );
  const named = [...new Set(steps)].filter((each) => /^[a-z]/.test(each));
  expect(named.length).toBeGreaterThan(20);
  const page = read("docs/errors.md");
  expect(named.filter((step) => !page.includes(`\`${step}`))).toEqual([]);
});

/** Parts of messages that the code puts together from several texts. */
const COMPOSED = [
  "RDS did not list the readers of",
  "the property Plan does not fit this function",
  "plan.json does not fit this function",
  "granting and revoking run the event trigger",
  "is not AWSPENDING but",
  "has no AWSCURRENT value",
];

test("docs/errors.md quotes messages that the code has", () => {
  const sources = ["core", "lambda", "client", "config"]
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => read(join(folder, name))),
    )
    .join("\n");
  const tables = read("docs/errors.md").matchAll(/^\| The message begins .*\n((?:\|.*\n)+)/gm);
  const quoted = [...tables].flatMap(([, rows = ""]) =>
    [...rows.matchAll(/^\| (.+?) \| /gm)].flatMap(([, first = ""]) =>
      [...first.matchAll(/`([^`]+)`/g)].map(([, message = ""]) => message),
    ),
  );
  const parts = quoted
    .flatMap((message) => message.split(/…|<[^>]*>|["():]|\b(?:\d+|code \w{5})\b/))
    .map((part) => part.trim())
    .filter((part) => part.length > 4);
  expect(parts.length).toBeGreaterThan(200);
  expect(new Set(parts.filter((part) => !sources.includes(part)))).toEqual(new Set(COMPOSED));
});

test("docs/errors.md has every verb that is called, and every SQLSTATE of ours", () => {
  const page = read("docs/errors.md");
  const called = Object.entries(VERBS).filter(([, { runsAs }]) => runsAs !== "ender");
  expect(called.length).toBeGreaterThan(10);
  expect(called.filter(([verb]) => !page.includes(`| \`${verb}\` |`))).toEqual([]);
  const folder = "lambda/postgres/leases/verbs";
  const texts = readdirSync(join(root, folder)).map((name) => read(join(folder, name)));
  const raised = texts.flatMap((text) =>
    [...text.matchAll(/errcode = '(MF0\d\d)'/g)].map(([, code = ""]) => code),
  );
  expect(new Set(raised).size).toBeGreaterThan(3);
  expect([...new Set(raised)].filter((code) => !page.includes(`| \`${code}\` |`))).toEqual([]);
});

test("docs/proxy.md has every SQLSTATE that the proxy answers by itself", () => {
  const page = read("docs/proxy.md");
  const folder = "client/proxy";
  const answered = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .flatMap((path) => [
      ...read(join(folder, path)).matchAll(
        /sqlstate: [^,}]*?"([0-9A-Z]{5})"(?: : "([0-9A-Z]{5})")?/g,
      ),
    ])
    .flatMap(([, one, other]) => [one, other].filter((code) => code !== undefined));
  expect(new Set(answered).size).toBeGreaterThan(6);
  expect([...new Set(answered)].filter((code) => !page.includes(`\`${code}\``))).toEqual([]);
});

test("docs/operating.md has every metric and every audit line", () => {
  const page = read("docs/operating.md");
  const metrics: readonly string[] = METRICS;
  const events = unionIn("core/audit.ts", /readonly event:([^;]+);/);
  expect(metrics.length).toBeGreaterThan(10);
  expect(events.length).toBeGreaterThan(8);
  expect([...metrics, ...events].filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
});

test("docs/security.md has every attack that a test is titled by", () => {
  const page = read("docs/security.md");
  const titles = readdirSync(join(root, "test", "postgres"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .flatMap((name) => read(join("test", "postgres", name)).split("\n"))
    .filter((line) => /\b(?:test|describe)[\w.]*(?:\([^"]*)?\("/.test(line));
  const numbers = titles.flatMap((title) =>
    [...title.matchAll(/\bC\d+\b/g)].map(([number]) => number),
  );
  expect(new Set(numbers).size).toBeGreaterThan(10);
  expect([...new Set(numbers)].filter((number) => !page.includes(`| ${number} |`))).toEqual([]);
});

/** The names of all properties, at any depth. */
const keysIn = (schema: unknown): readonly string[] =>
  typeof schema !== "object" || schema === null
    ? []
    : Object.entries(schema).flatMap(([key, value]) => [
        ...(key === "properties" && typeof value === "object" ? Object.keys(value ?? {}) : []),
        ...keysIn(value),
      ]);

test("docs/configuration.md has every key of the configuration", () => {
  const page = read("docs/configuration.md");
  const keys = keysIn(editorSchema());
  expect(keys.length).toBeGreaterThan(25);
  expect([...new Set(keys)].filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
});

test("docs/package.md has everything that the package exports, and its peers", () => {
  const page = read("docs/package.md");
  const { exports, peerDependencies } = JSON.parse(read("package.json")) as {
    readonly exports: Readonly<Record<string, string>>;
    readonly peerDependencies: Readonly<Record<string, string>>;
  };
  const names = Object.values(exports).flatMap((source) =>
    [...read(source).matchAll(/export (?:type )?{([^}]+)}/g)].flatMap(([, list = ""]) =>
      list.split(",").map((name) => name.replace("type ", "").trim()),
    ),
  );
  expect(names.length).toBeGreaterThan(20);
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  for (const [peer, range] of Object.entries(peerDependencies))
    expect(page).toContain(`| \`${peer}\` | ${range.slice(1)}`);
});

test("docs/agent.md has every metric and every key of the agent", () => {
  const page = read("docs/agent.md");
  const counts = new AgentCounts([], []);
  const metrics = agentMetrics({ logins: [], files: [], ports: new Map(), counts });
  expect(metrics.length).toBeGreaterThan(10);
  expect(metrics.filter(({ name }) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  const keys = Object.keys(ENTRIES.entries);
  expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
});

test("docs/doctor.md has every check, and no other", () => {
  const named = [...read("docs/doctor.md").matchAll(/^\| `([a-z][a-z-]+)` \|/gm)].map(
    ([, name = ""]) => name,
  );
  const verdicts: readonly string[] = VERDICTS;
  expect(new Set(named.filter((name) => !verdicts.includes(name)))).toEqual(
    new Set([
      ...Object.keys(IDENTITY_CHECKS),
      ...WAY_CHECKS,
      ...DATABASE_CHECKS,
      ...ENDPOINT_CHECKS,
      ...ACCOUNT_CHECKS,
    ]),
  );
});

test("docs/cli.md has every command, option and exit status, and no other command is named", async () => {
  const page = read("docs/cli.md");
  const program = await makeProgram({
    in: process.stdin,
    out: process.stdout,
    err: process.stderr,
  });
  const leaves = (command: Command): Command[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
  const all = leaves(program);
  const flags = all.flatMap(({ options }) => options.flatMap(({ long }) => long ?? []));
  expect(new Set(flags).size).toBeGreaterThan(12);
  expect([...new Set(flags)].filter((flag) => !page.includes(`${flag}`))).toEqual([]);
  expect(Object.values(Exit).filter((each) => !page.includes(`\n| ${each} |`))).toEqual([]);
  for (const [, status, means] of EXIT_HELP.matchAll(/^ +(\d+) +(.+)$/gm))
    expect(page.replaceAll("`", "")).toContain(`\n| ${status} | ${means} |`);
  const known = program.commands.map((each) => each.name());
  expect(known.filter((name) => !page.includes(`mayfly ${name}`))).toEqual([]);
  for (const path of pages) {
    const text = blocksOf(path).map((block) => block.text);
    const named = [
      ...text.join("\n").matchAll(/(?:^|[|(] ?)(?:npm run -s )?mayfly (?:-- )?(\w+)/gm),
    ];
    for (const [, name = ""] of named) expect(known).toContain(name);
  }
});

test("pages that the package has too write mayfly, as docs/cli.md defines it for both readers", () => {
  const forBoth = pages.filter((page) => /^docs\/(?!local\.md)/.test(page));
  expect(forBoth.filter((page) => /^npm run (?:-s )?mayfly/m.test(read(page)))).toEqual([]);
});

test("each page of docs/languages is run, or says that it was not", () => {
  const run = new Set(LANGUAGES.map(({ page }) => page));
  const others = pages.filter((page) => page.startsWith("docs/languages/") && !run.has(page));
  expect(others.filter((page) => !read(page).includes("**This page was not run**"))).toEqual([]);
  // throws for a program without a name, which nothing would run
  for (const page of run) expect(filesOf(page).length).toBeGreaterThan(1);
});
