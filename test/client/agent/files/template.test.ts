import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compileContent } from "../../../../client/agent/files/content.ts";
import { FileError } from "../../../../client/agent/files/file-error.ts";
import { HELPERS } from "../../../../client/agent/files/template-helpers.ts";
import { Secret } from "../../../../core/secret.ts";
import { madeUpLogin } from "../../../support/file-outlet.ts";

const PASSWORD = `a&<>"'=\\b: #$\`{{username}} é`;
const LOGIN = { ...madeUpLogin(1), password: new Secret(PASSWORD) };
const BOTH = ["orders/readonly", "reports"];

async function render(
  text: string,
  from: readonly string[] = ["orders/readonly"],
): Promise<string> {
  const make = await compileContent({
    content: { kind: "template", text, source: "app.hbs" },
    from,
    mode: 0o600,
  });
  const logins = from.map((name, at) => ({
    name,
    login: at === 0 ? LOGIN : { ...madeUpLogin(at + 1), tls: "plaintext" as const },
  }));
  return make(logins, () => "");
}

test("a template has the fields of its login, as they are", async () => {
  const text =
    "{{username}} {{password}} {{{password}}} {{host}} {{port}} {{dbname}} {{engine}} {{sslmode}}\n";
  expect(await render(text)).toBe(
    `user_1 ${PASSWORD} ${PASSWORD} orders.example.com 5432 orders postgres verify-full\n`,
  );
});

test("with several logins, their names stand before the fields", async () => {
  const text = `{{[orders/readonly].username}} {{reports.username}} {{reports.sslmode}}
{{#with [orders/readonly]}}
  {{username}} at {{host}}, {{json ../reports.username}}
{{/with}}
`;
  expect(await render(text, BOTH)).toBe(
    `user_1 user_2 disable
  user_1 at orders.example.com, "user_2"
`,
  );
});

test("comments, escapes and whitespace control are Handlebars's", async () => {
  expect(await render("{{! no }}{{!-- }} --}}a \\{{username}}\n  {{~username~}}  \nb")).toBe(
    "a {{username}}user_1b",
  );
  expect(await render("no field: } { {% %} $x")).toBe("no field: } { {% %} $x");
});

test("helpers quote a value for what is around it", async () => {
  const text = Object.keys(HELPERS)
    .map((helper) => `{{${helper} password}}`)
    .join("\n");
  expect((await render(text)).split("\n")).toEqual([
    JSON.stringify(PASSWORD),
    encodeURIComponent(PASSWORD),
    `'a&<>"'\\''=\\b: #$\`{{username}} é'`,
    "a&amp;&lt;&gt;&quot;&apos;=\\b: #$`{{username}} é",
    "a&<>\"'=\\\\b: #$`{{username}} \\u00e9",
    `'a&<>"\\'=\\\\b: #$\`{{username}} é'`,
  ]);
  expect(await render("{{shell (json username)}}")).toBe(`'"user_1"'`);
});

test("a shell reads what the helper wrote", () => {
  const shell = HELPERS.shell ?? String;
  const values = [
    ...fc.sample(
      fc.string({ unit: fc.constantFrom(...Array.from("'\"\\$`*~ \n!é𝄞a-")), minLength: 1 }),
      300,
    ),
    "\n",
    "'",
  ];
  const script = `printf '%s\\0' ${values.map((value) => shell(value)).join(" ")}`;
  const read = execFileSync("sh", { input: script, encoding: "utf8" });
  expect(read.split("\0").slice(0, -1)).toEqual(values);
});

/** A text as a pattern for itself. */
const exactly = (words: string | RegExp): RegExp =>
  typeof words === "string"
    ? new RegExp(`^${words.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`)
    : words;

const FIELDS = "username, password, host, port, dbname, engine, sslmode";

test.each([
  ["a\n{{usernme}}", `app.hbs, line 2: there is no field "usernme"; there are ${FIELDS}`],
  ["{{json\n usernme}}", `app.hbs, line 2: there is no field "usernme"; there are ${FIELDS}`],
  [
    "{{.Data.username}}",
    'app.hbs, line 1: not a template near "{{.Data.username}}"; check the braces',
  ],
  ["{{Data.username}}", `app.hbs, line 1: there is no field "Data.username"; there are ${FIELDS}`],
  ["{{username.length}}", 'app.hbs, line 1: there is no field "username.length"; there are none'],
  ["{{constructor}}", `app.hbs, line 1: there is no field "constructor"; there are ${FIELDS}`],
  ["{{__proto__}}", `app.hbs, line 1: there is no field "__proto__"; there are ${FIELDS}`],
  ["{{this}}", `app.hbs, line 1: this has fields; name one of ${FIELDS}`],
  ["{{../username}}", "app.hbs, line 1: ../username is no field"],
  ["{{@root.username}}", "app.hbs, line 1: @root.username is no field"],
  ['{{"username"}}', "app.hbs, line 1: StringLiteral is no field"],
  ["{{json}}", "app.hbs, line 1: json takes one value, e.g. {{json password}}"],
  ["{{json username password}}", "app.hbs, line 1: json takes one value, e.g. {{json password}}"],
  ["{{json username a=1}}", "app.hbs, line 1: json takes one value, e.g. {{json password}}"],
  [
    "{{toJSON username}}",
    'app.hbs, line 1: there is no helper "toJSON"; there are json, url, shell, xml, properties, conninfo',
  ],
  ["{{log password}}", /^app\.hbs, line 1: there is no helper "log"; /],
  ["{{lookup this 'username'}}", /^app\.hbs, line 1: there is no helper "lookup"; /],
  ["\n\n{{#each this}}{{/each}}", "app.hbs, line 3: there is no block #each; there is #with"],
  ["{{#if username}}a{{/if}}", "app.hbs, line 1: there is no block #if; there is #with"],
  ["{{#username}}a{{/username}}", "app.hbs, line 1: there is no block #username; there is #with"],
  ["{{#with username}}a{{/with}}", "app.hbs, line 1: username has no fields, for #with"],
  ["{{#with}}a{{/with}}", /takes the name of a login/],
  ["{{#with this}}a{{else}}b{{/with}}", /has no else/],
  ["{{#with this as |a|}}{{username}}{{/with}}", /gives no names/],
  ["{{> other}}", /^app\.hbs, line 1: partials and decorators are not for files/],
  ["{{#> other}}a{{/other}}", /^app\.hbs, line 1: partials and decorators are not for files/],
  ["{{* other}}", /^app\.hbs, line 1: partials and decorators are not for files/],
  ["{{#*inline 'a'}}a{{/inline}}", /^app\.hbs, line 1: partials and decorators are not for files/],
  ["{{{{raw}}}}a{{{{/raw}}}}", /there is no block #raw/],
  ["a\nb {{username\nc", /^app\.hbs, line \d: not a template near .*; check the braces$/],
  ["{{username}", /^app\.hbs, line 1: not a template near /],
  ["{{#with this}}\n{{/if}}", /^app\.hbs, line 1: with doesn't match if/],
  ["{{#with this}}", /^app\.hbs, line 1: not a template/],
  ["{{}}", /^app\.hbs, line 1: not a template near "\{\{\}\}"/],
])("%j is refused, with its line and what may stand there", async (text, words) => {
  const error: unknown = await render(text).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FileError);
  const { message } = error as FileError;
  expect(message).toMatch(exactly(words));
  expect(message.length).toBeLessThanOrEqual(160);
});

test.each([
  ["{{username}}", 'there is no field "username"; there are [orders/readonly], reports'],
  [
    "{{orders/readonly.username}}",
    'there is no field "orders/readonly.username"; there are [orders/readonly], reports',
  ],
  ["{{[orders/readonly]}}", `orders/readonly has fields; name one of ${FIELDS}`],
  ["{{reports.usernme}}", `there is no field "reports.usernme"; there are ${FIELDS}`],
  [
    "{{#with reports}}{{reports.username}}{{/with}}",
    `there is no field "reports.username"; there are ${FIELDS}`,
  ],
])("with two logins, %j is refused", async (text, words) => {
  await expect(render(text, BOTH)).rejects.toThrow(`app.hbs, line 1: ${words}`);
});
