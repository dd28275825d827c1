import Handlebars from "handlebars";
import type { FileContent } from "../configuration.ts";
import { FileError } from "./file-error.ts";
import { sslmodeOf } from "./formats/addresses.ts";
import type { NamedLogin } from "./formats/formats.ts";
import { type Context, TemplateCheck } from "./template-check.ts";
import { HELPERS } from "./template-helpers.ts";

type Template = Extract<FileContent, { readonly kind: "template" }>;

/** What a template can name of a login. Values are strings, so that helpers quote them alike. */
const FIELDS: Readonly<Record<string, (named: NamedLogin) => string>> = {
  username: ({ login }) => login.username,
  password: ({ login }) => login.password.reveal(),
  host: ({ login }) => login.host,
  port: ({ login }) => String(login.port),
  dbname: ({ login }) => login.dbname,
  engine: () => "postgres",
  sslmode: ({ login }) => sslmodeOf(login),
};

const LOGIN: Context = new Map(Object.keys(FIELDS).map((field) => [field, "value"]));

const NO_BUILT_IN = { each: false, if: false, unless: false, lookup: false, log: false } as const;

/**
 * Prepare a template: fields, helpers and `#with`, nothing else of Handlebars. With one login its
 * fields stand alone, with several they stand behind the login's name.
 *
 * @throws FileError that names the template, the line, and what may stand there
 */
export function compileTemplate(
  template: Template,
  names: readonly string[],
): (logins: readonly NamedLogin[]) => string {
  const isSingle = names.length === 1;
  const root: Context = isSingle ? LOGIN : new Map(names.map((name) => [name, LOGIN]));
  const program = parse(template);
  new TemplateCheck(template.source, Object.keys(HELPERS)).program(program, [root]);
  const handlebars = Handlebars.create();
  for (const [name, helper] of Object.entries(HELPERS)) handlebars.registerHelper(name, helper);
  const knownHelpers = Object.fromEntries(Object.keys(HELPERS).map((name) => [name, true]));
  const render = handlebars.compile<object>(program, {
    noEscape: true,
    strict: true,
    knownHelpersOnly: true,
    knownHelpers: { ...NO_BUILT_IN, ...knownHelpers },
  });
  return (logins) => {
    const contexts = logins.map((named) => [named.name, fieldsOf(named)] as const);
    return render(isSingle ? (contexts[0]?.[1] ?? {}) : Object.fromEntries(contexts));
  };
}

const fieldsOf = (named: NamedLogin): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(FIELDS).map(([field, of]) => [field, of(named)]));

function parse({ text, source }: Template): hbs.AST.Program {
  try {
    return Handlebars.parse(text);
  } catch (error) {
    const { message, lineNumber } = error as Error & { readonly lineNumber?: number };
    const [, line, near] = /^Parse error on line (\d+):\n(.*)\n/.exec(message) ?? [];
    if (line !== undefined)
      throw new FileError(
        `${source}, line ${line}: not a template near ${JSON.stringify(near?.slice(-30))}; check the braces`,
      );
    throw new FileError(`${source}, line ${lineNumber ?? "?"}: ${message.replaceAll("\n", " ")}`);
  }
}
