import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv } from "node:util";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FileFormat } from "../../../../client/agent/configuration.ts";
import { compileContent } from "../../../../client/agent/files/content.ts";
import type { NamedLogin } from "../../../../client/agent/files/formats/formats.ts";
import { propertyValue } from "../../../../client/agent/files/formats/properties.ts";
import { quoted } from "../../../../client/agent/files/formats/variables.ts";
import type { Login } from "../../../../client/keeper/keeper.ts";
import { Secret } from "../../../../core/secret.ts";
import { madeUpLogin, newFolder } from "../../../support/file-outlet.ts";

let folder: string;
beforeAll(() => {
  folder = newFolder();
});
afterAll(() => rmSync(folder, { recursive: true }));

const NASTY = `a&<>"'=\\b: #$\`!*(){}[];|?~%^@,/+-_.é€ z`;

/** What means something to somebody, letters, and what takes two or three bytes, or two units. */
const unit = fc.constantFrom(...Array.from("&<>\"'=\\:# $`!*(){}[]|;~%\t\u00a0abcXYZ019-_é€𝄞"));

/** Anything printable. */
const password = fc.string({ unit, minLength: 1, maxLength: 30 });

const anything = fc.string({
  unit: fc.oneof(unit, fc.constantFrom(...Array.from("\0\b\n\r\f\u001b\u0085\u2028\ud800"))),
  maxLength: 30,
});

const withPassword = (value: string, more: Partial<Login> = {}): NamedLogin => ({
  name: "orders/readonly",
  login: { ...madeUpLogin(1), password: new Secret(value), ...more },
});

async function render(format: FileFormat, ...logins: readonly NamedLogin[]): Promise<string> {
  const make = await compileContent({
    content: { kind: "format", format },
    from: logins.map(({ name }) => name),
    mode: 0o600,
  });
  return make(logins, (host) => `PEM of ${host}`);
}

/** As Java does. https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html */
function readProperties(text: string): Readonly<Record<string, string>> {
  const unescaped = (raw: string): string =>
    raw.replaceAll(/\\u([0-9a-f]{4})|\\(.)/g, (_, code?: string, plain?: string) =>
      code === undefined
        ? ({ n: "\n", r: "\r", t: "\t", f: "\f" }[plain ?? ""] ?? plain ?? "")
        : String.fromCharCode(Number.parseInt(code, 16)),
    );
  const pairs = text
    .split(/\n/)
    .filter((line) => !/^[ \t\f]*(?:[#!]|$)/.test(line))
    .map((line): [string, string] => {
      const [, name = "", value = ""] =
        /^[ \t\f]*((?:\\.|[^=: \t\f\\])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/.exec(line) ?? [];
      return [unescaped(name), unescaped(value)];
    });
  return Object.fromEntries(pairs);
}

describe("env", () => {
  test("has libpq's variables and a URL, without quotes for the login of a lease", async () => {
    expect(await render("env", withPassword("abc_DEF-123"))).toBe(
      [
        "PGHOST=orders.example.com",
        "PGPORT=5432",
        "PGDATABASE=orders",
        "PGUSER=user_1",
        "PGPASSWORD=abc_DEF-123",
        "PGSSLMODE=verify-full",
        "DATABASE_URL=postgresql://user_1:abc_DEF-123@orders.example.com:5432/orders?sslmode=verify-full",
        "",
      ].join("\n"),
    );
  });

  test("node and dotenv read what was written, unless it has both quotes or escapes", () => {
    const forAll = password.filter((value) => !(value.includes("'") && /["$`\\]/.test(value)));
    fc.assert(
      fc.property(forAll, (value) => {
        expect(parseEnv(`A=1\nPGPASSWORD=${quoted(value)}\nB=2\n`)).toEqual({
          A: "1",
          PGPASSWORD: value,
          B: "2",
        });
      }),
      { numRuns: 2_000, examples: [["a'b"], ["a#b"], [" a "], ["\ta\t"]] },
    );
  });

  test("a shell reads what was written", () => {
    const values = [
      ...fc.sample(password, 1_000),
      NASTY,
      "~",
      "a:~",
      "-n",
      "*",
      "'\"",
      "\\",
      "$HOME",
    ];
    const path = join(folder, "values.env");
    writeFileSync(path, values.map((value, at) => `V${at}=${quoted(value)}\n`).join(""));
    const names = values.map((_, at) => `"$V${at}"`).join(" ");
    writeFileSync(`${path}.sh`, `. ${path}\nprintf '%s\\0' ${names}\n`);
    const read = execFileSync("sh", [`${path}.sh`], { encoding: "utf8", env: {} });
    expect(read.split("\0").slice(0, -1)).toEqual(values);
  });

  test("the URL leads to the server, with user and password as they are", async () => {
    const login = { username: "a/b c", dbname: "x?y", host: "::1", port: 6_543 };
    const { DATABASE_URL = "" } = parseEnv(await render("env", withPassword("p@:/?#[]", login)));
    const url = new URL(DATABASE_URL);
    expect(decodeURIComponent(url.username)).toBe("a/b c");
    expect(decodeURIComponent(url.password)).toBe("p@:/?#[]");
    expect([url.host, decodeURIComponent(url.pathname)]).toEqual(["[::1]:6543", "/x?y"]);
    expect(url.searchParams.get("sslmode")).toBe("verify-full");
  });
});

test("json has the keys of AWS's secrets, and any password", async () => {
  await fc.assert(
    fc.asyncProperty(anything, async (value) => {
      const text = await render("json", withPassword(value));
      expect(JSON.parse(text)).toEqual({
        engine: "postgres",
        host: "orders.example.com",
        port: 5_432,
        username: "user_1",
        password: value,
        dbname: "orders",
      });
    }),
  );
});

describe("jdbc", () => {
  test("has what JDBC and Spring ask for, which are read as they were written", async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const url = "jdbc:postgresql://orders.example.com:5432/orders?sslmode=verify-full";
        expect(readProperties(await render("jdbc", withPassword(value)))).toEqual({
          url,
          user: "user_1",
          password: value,
          "spring.datasource.url": url,
          "spring.datasource.username": "user_1",
          "spring.datasource.password": value,
        });
      }),
      { examples: [[" leading"], ["# no"], ["=a"], [":a"], ["\\"], ["\\u0041"], [NASTY]] },
    );
  });

  // a machine of Java's takes seconds to start
  test.runIf(process.env.MAYFLY_READERS === "1")("Java reads them as they were written", () => {
    const values = [...fc.sample(anything, 300), NASTY, " a", "  ", "\\"];
    const path = join(folder, "values.properties");
    writeFileSync(path, values.map((value, at) => `v${at}=${propertyValue(value)}\n`).join(""));
    const source = join(folder, "Read.java");
    writeFileSync(
      source,
      `public class Read {
        public static void main(String[] args) throws Exception {
          var read = new java.util.Properties();
          try (var in = new java.io.FileInputStream(args[0])) { read.load(in); }
          var units = new StringBuilder();
          for (int i = 0; i < ${values.length}; i++) {
            for (char unit : read.getProperty("v" + i).toCharArray()) units.append((int) unit).append(' ');
            units.append('\\n');
          }
          System.out.print(units);
        }
      }`,
    );
    const read = execFileSync("java", ["-Xshare:auto", source, path], { encoding: "utf8" });
    const units = (value: string): string =>
      Array.from({ length: value.length }, (_, at) => `${value.charCodeAt(at)} `).join("");
    expect(read.split("\n").slice(0, -1)).toEqual(values.map(units));
  });
});

test("lines are what the classic tutorials strip two names from", async () => {
  await fc.assert(
    fc.asyncProperty(password, async (value) => {
      const [user, secret] = (await render("lines", withPassword(value))).split("\n");
      expect(user?.replace(/^DB_USERNAME=/, "")).toBe("user_1");
      expect(secret?.replace(/^DB_PASSWORD=/, "")).toBe(value);
    }),
  );
});

/** As libpq reads a line: a backslash before any character stands for that character. */
const readPgpass = (line: string): readonly string[] =>
  [...line.matchAll(/(?:^|:)((?:\\.|[^\\:])*)/gsu)].map(([, raw = ""]) =>
    raw.replaceAll(/\\(.)/gsu, "$1"),
  );

test("pgpass has a line for each login, which libpq's rules read as it was written", async () => {
  await fc.assert(
    fc.asyncProperty(password, password, async (value, dbname) => {
      const both = [
        withPassword(value, { dbname, host: "::1" }),
        { ...withPassword("b"), name: "other" },
      ];
      const lines = (await render("pgpass", ...both)).split("\n");
      expect(lines.map(readPgpass)).toEqual([
        ["::1", "5432", dbname, "user_1", value],
        ["orders.example.com", "5432", "orders", "user_1", "b"],
        [""],
      ]);
    }),
  );
});

test("pg_service has a section for each login", async () => {
  const both = [withPassword(`a=#'"\\ b`), { ...withPassword("b"), name: "reports" }];
  expect(await render("pg_service", ...both)).toBe(`[orders/readonly]
host=orders.example.com
port=5432
dbname=orders
user=user_1
password=a=#'"\\ b
sslmode=verify-full
[reports]
host=orders.example.com
port=5432
dbname=orders
user=user_1
password=b
sslmode=verify-full
`);
});

test("ca has the authorities of the login's server", async () => {
  expect(await render("ca", withPassword("a"))).toBe("PEM of orders.example.com");
});

describe("what a format cannot hold is refused in words", () => {
  const LINES = ["env", "lines", "pgpass", "pg_service"] as const;

  test.each(LINES)("%s: a line break or control character", async (format) => {
    for (const value of ["a\nb", "a\rb", "a\0b", "a\u001bb", "a\n"])
      await expect(render(format, withPassword(value))).rejects.toThrow(
        `the password has a line break or control character, which the format ${format} cannot hold; use json, or a template`,
      );
  });

  test.each([
    ["pg_service", withPassword("a "), /^the password ends with a space, .*; use pgpass, or json$/],
    [
      "pg_service",
      withPassword("a".repeat(1_023)),
      /^the password is longer than libpq reads .*json/,
    ],
    ["pg_service", { ...withPassword("a"), name: "a]b" }, /^"a]b" cannot be the name of a service/],
    ["env", withPassword("a", { dbname: "a\nb" }), /^the dbname has a line break/],
  ] as const)("%s", async (format, login, words) => {
    await expect(render(format, login)).rejects.toThrow(words);
  });

  test.each(["env", "json", "jdbc", "lines", "ca"] as const)("%s: two logins", async (format) => {
    await expect(
      render(format, withPassword("a"), { ...withPassword("b"), name: "b" }),
    ).rejects.toThrow(`a file of format ${format} holds one login, not 2; write one file each`);
  });

  test("pgpass: a mode with which libpq would not read it", async () => {
    const content = { kind: "format", format: "pgpass" } as const;
    await expect(compileContent({ content, from: "a", mode: 0o640 })).rejects.toThrow(
      "libpq does not read a pgpass file that others may read (mode 0640); its mode must be 0600",
    );
  });
});
