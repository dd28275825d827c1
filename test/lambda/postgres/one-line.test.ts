import { expect, test } from "vitest";
import { ident, literal, type Sql, sql } from "../../../lambda/postgres/connection/sql.ts";
import { onOneLine } from "../../../lambda/postgres/provisioning/check/problems.ts";

const server = (text: string): Sql => text as Sql;

test.each([
  [sql`DROP ROLE ${ident("a\n\u202eb")}`, 'DROP ROLE U&"a\\+00000a\\+00202eb"'],
  [sql`ROLLBACK PREPARED ${literal("x\n'y")}`, "ROLLBACK PREPARED  E'x\\u000a''y'"],
  [sql`SELECT ${literal("a\\n\nb")}`, "SELECT  E'a\\\\n\\u000ab'"],
  [server(`(x = 'say "a\nb"'::text)`), `(x =  E'say "a\\u000ab"'::text)`],
  [server(`(x = E'say \\\\ "a\n''b"')`), `(x = E'say \\\\ "a\\u000a''b"')`],
  [server(`(x = E'it\\'s "a\\\nb"')`), `(x = E'it\\'s "a\\u000ab"')`],
  [server(`("a""'\n" = 'b"c')`), `(U&"a""'\\+00000a" = 'b"c')`],
  [server("a IN ( SELECT b\n   FROM c)"), "a IN ( SELECT b FROM c)"],
  [server("x = '\u{e0001}'"), "x =  E'\\U000e0001'"],
  [server(`do $a$ "x\ny" $a$`), `do $a$ "x\ny" $a$`],
  [server(`(x = 'plain "text" \\n')`), `(x = 'plain "text" \\n')`],
])("%j on one line means the same", (given, printed) => {
  expect(onOneLine(given)).toBe(printed);
});
