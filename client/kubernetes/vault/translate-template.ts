import {
  type Delimiters,
  type Piece,
  parseGoTemplate,
  type TemplateProblem,
} from "./go-template.ts";
import { handlebarsText, type TemplatePart } from "./handlebars-text.ts";
import { kindOfPath, plainPath } from "./vault-targets.ts";

/** A field of a secret in Vault that a file has. */
export interface UsedField {
  readonly kind: "field";
  /** Without slashes around it. */
  readonly path: string;
  /** Of Mayfly's templates. */
  readonly field: string;
}

/** What a file is made of, before it is known which logins take the places of its paths. */
export type FilePart = Extract<TemplatePart, { readonly kind: "text" }> | UsedField;

export interface TranslatedTemplate {
  /** Whole only if there is no problem. */
  readonly parts: readonly FilePart[];
  readonly problems: readonly TemplateProblem[];
}

/** What Vault has in a login of its database engine. */
const LOGIN_FIELDS = ["username", "password"];
/** What Mayfly has of any login. A secret in Vault may have the same. */
const FIELDS = [...LOGIN_FIELDS, "host", "port", "dbname", "engine"];

/** A template of Vault's injector in fields of Mayfly's. */
export function translateTemplate(text: string, delimiters: Delimiters): TranslatedTemplate {
  const { pieces, problems: unread } = parseGoTemplate(text, delimiters);
  const problems = [...unread];
  const parts: FilePart[] = [];
  for (const piece of pieces)
    if (piece.kind === "text") parts.push(piece);
    else {
      const path = plainPath(piece.path);
      const field = fieldOf(path, piece);
      if (typeof field === "string") parts.push({ kind: "field", path, field });
      else problems.push({ offset: piece.offset, words: field.refusal });
    }
  if (problems.length === 0 && !parts.some(({ kind }) => kind === "field"))
    problems.push({
      offset: 0,
      words: "no field of a secret is in it; put such a file into a ConfigMap",
    });
  return { parts, problems };
}

function fieldOf(
  path: string,
  { names }: Extract<Piece, { readonly kind: "field" }>,
): string | { readonly refusal: string } {
  const isKeyValue = kindOfPath(path) === "key-value";
  const fields = isKeyValue ? FIELDS : LOGIN_FIELDS;
  const [data, ...rest] = names;
  const field = isKeyValue && rest[0] === "data" && rest.length === 2 ? rest[1] : rest[0];
  const isPlain = data === "Data" && field !== undefined && rest.at(-1) === field;
  if (isPlain && fields.includes(field)) return field;
  const before = isKeyValue ? ".Data.data." : ".Data.";
  return {
    refusal: `.${names.join(".")} of ${path} has no counterpart; there are ${fields.map((each) => `${before}${each}`).join(", ")}`,
  };
}

/** What Vault's injector writes of a secret without a template. */
export const DEFAULT_TEMPLATES = ["map", "json"] as const;
export type DefaultTemplate = (typeof DEFAULT_TEMPLATES)[number];

/** The same bytes as Vault's own template writes of a user of its database engine. */
export function defaultParts(form: DefaultTemplate, path: string): readonly FilePart[] {
  const field = (name: string): UsedField => ({ kind: "field", path, field: name });
  const text = (words: string): FilePart => ({ kind: "text", text: words });
  // maps are sorted in Go
  if (form === "map")
    return [
      text("password: "),
      field("password"),
      text("\nusername: "),
      field("username"),
      text("\n"),
    ];
  return [
    text('{"password":'),
    field("json password"),
    text(',"username":'),
    field("json username"),
    text("}\n"),
  ];
}

/** The parts as a Handlebars template of the agent's. @param loginOf its login, by the path. */
export function templateOf(
  parts: readonly FilePart[],
  loginOf: (path: string) => string,
): { readonly from: readonly string[]; readonly template: string } {
  const from = [
    ...new Set(parts.flatMap((part) => (part.kind === "field" ? [loginOf(part.path)] : []))),
  ];
  const template = handlebarsText(
    parts.map((part) =>
      part.kind === "text" || from.length === 1
        ? part.kind === "text"
          ? part
          : { kind: "expression", expression: part.field }
        : { kind: "expression", expression: `[${loginOf(part.path)}].${part.field}` },
    ),
  );
  return { from, template };
}
