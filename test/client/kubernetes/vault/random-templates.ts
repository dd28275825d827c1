import fc from "fast-check";

/** Paths of Vault's that templates name. */
export const PATHS = ["database/creds/readonly", "database/creds/owner", "secret/data/app"];

const space = fc.constantFrom("", " ", "  ", "\n", "\t", "\r\n");
const between = fc.constantFrom(" ", "  ", "\n", "\t ", "\r\n");

const TEXTS = [
  Array.from("{}\\~!#^/&>\"'`$*-"),
  ["\n", "\r\n", " ", "\t", "  ", "a", "é𝄞", "\u2028", "\u00a0", "\\\\", "}}", "*/", "-}}"],
  ["DB_USERNAME=", "export X=", "username", "else", "--", "{ ", " }", "%s", "[x]"],
].flat();

/** Texts that mean something to Go, to Handlebars, or to both. */
const text = fc
  .array(fc.constantFrom(...TEXTS), { maxLength: 6 })
  .map((words) => words.join("").replaceAll(/\{(?=\{)/g, "{ "));

const open = fc.constantFrom("{{", "{{- ", "{{-\n");
const close = fc.constantFrom("}}", " -}}", "\n-}}");

const action = (inner: string): fc.Arbitrary<string> =>
  fc.tuple(open, space, space, close).map(([a, b, c, d]) => `${a}${b}${inner}${c}${d}`);

const comment = fc
  .tuple(fc.constantFrom("{{", "{{- "), text, close)
  .map(([a, words, d]) => `${a}/*${words.replaceAll("*", "")}*/${d}`);

const quoted = (path: string): fc.Arbitrary<string> => fc.constantFrom(`"${path}"`, `\`${path}\``);

const field = (path: string): fc.Arbitrary<string> =>
  fc
    .constantFrom("username", "password")
    .chain((name) => action(path.includes("/creds/") ? `.Data.${name}` : `.Data.data.${name}`));

/** What stands within a secret, with others inside. */
const body = (path: string, depth: number): fc.Arbitrary<string> =>
  fc
    .array(
      depth === 0
        ? fc.oneof(text, field(path), comment)
        : fc.oneof(
            { weight: 3, arbitrary: fc.oneof(text, field(path), comment) },
            secret(depth - 1),
          ),
      { maxLength: 5 },
    )
    .map((parts) => joined(parts));

const secret = (depth: number): fc.Arbitrary<string> =>
  fc.constantFrom(...PATHS).chain((path) =>
    fc
      .tuple(quoted(path), between, between)
      .chain(([words, a, b]) =>
        fc.tuple(action(`with${a}secret${b}${words}`), body(path, depth), action("end")),
      )
      .map(joined),
  );

/** Two braces that were apart must not meet: Go would read an action. */
const joined = (parts: readonly string[]): string =>
  parts.reduce(
    (whole, part) =>
      whole.endsWith("{") && part.startsWith("{") ? `${whole} ${part}` : whole + part,
    "",
  );

/** Templates that can be translated: some field is in them. */
export const translatable: fc.Arbitrary<string> = fc
  .array(fc.oneof({ weight: 2, arbitrary: secret(2) }, text, comment), { maxLength: 4 })
  .map(joined)
  .filter((template) => template.includes(".Data."));

const WORDS = [
  ["{{", "}}", "{{- ", " -}}", "{{-", "-}}", "/*", "*/", " ", "\n", '"', "`", "'", "\\", "-"],
  ["with", "secret", "end", ".Data.username", ".Data.password", ".", "|", "(", ")", ":=", "1"],
  ['with secret "database/creds/readonly"', "{{ end }}", "{{- .Data.password -}}", "="],
  ['{{ with secret "database/creds/readonly" }}', "{{ .Data.username }}", "{{/* x */}}", "a"],
  ["{", "}", "$x", "if", "else", "range", "define", "block", "printf", ".Data", "toJSON"],
].flat();

/** Anything: most of it is wrong. */
export const anything: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...WORDS), { maxLength: 12 })
  .map((words) => words.join(""));
