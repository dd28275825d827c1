import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesIn } from "../../../bin/proxy/file-options.ts";
import { Failure } from "../../../bin/terminal/exit.ts";
import { newFolder } from "../../support/file-outlet.ts";

let folder: string;
beforeAll(() => {
  folder = newFolder();
  writeFileSync(join(folder, "a.hbs"), "{{username}}");
});
afterAll(() => rmSync(folder, { recursive: true }));

test("files and templates are what stands before the first colon, and the path behind it", () => {
  const source = join(folder, "a.hbs");
  const file = ["env:/run/db.env", "pgpass:/run/a:b"];
  const common = { from: "orders/readonly", mode: 0o600, owner: undefined, onChange: undefined };
  expect(filesIn({ file, template: [`${source}:c`] }, "orders/readonly")).toEqual([
    { ...common, path: "/run/db.env", content: { kind: "format", format: "env" } },
    { ...common, path: "/run/a:b", content: { kind: "format", format: "pgpass" } },
    { ...common, path: "c", content: { kind: "template", text: "{{username}}", source } },
  ]);
});

const FORMATS = "env, json, jdbc, lines, ca, pgpass, pg_service";

test.each([
  ["xml:/run/a", `--file: "xml:/run/a" is no file; give <format>:<path>, a format of ${FORMATS}`],
  ["toString:/a", `--file: "toString:/a" is no file; give <format>:<path>, a format of ${FORMATS}`],
  ["env:", `--file: "env:" is no file; give <format>:<path>, a format of ${FORMATS}`],
  [":/a", `--file: ":/a" is no file; give <format>:<path>, a format of ${FORMATS}`],
  ["env", `--file: "env" is no file; give <format>:<path>, a format of ${FORMATS}`],
])("--file %s is refused in words", (text, words) => {
  expect(words.length).toBeLessThanOrEqual(160);
  expect(() => filesIn({ file: [text], template: [] }, "a")).toThrow(new Failure(64, words));
});

test("a template that is not there, and a path that is named twice, are refused in words", () => {
  expect(() => filesIn({ file: [], template: ["/nonexistent.hbs:/a"] }, "a")).toThrow(
    "--template: cannot read /nonexistent.hbs (ENOENT); name a file with a template in it",
  );
  expect(() => filesIn({ file: [], template: ["a.hbs"] }, "a")).toThrow(
    '--template: "a.hbs" is no file; give <template>:<path>',
  );
  expect(() => filesIn({ file: ["env:/a", "json:/a"], template: [] }, "a")).toThrow(
    "/a is to be written twice; give each its own path",
  );
});
