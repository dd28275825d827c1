import { FileError } from "./file-error.ts";

/** What a name leads to: a value, or more names. */
export type Context = "value" | ReadonlyMap<string, Context>;

/** The contexts around a place, the innermost last: `../` goes back by one. */
type Contexts = readonly Context[];

interface Call extends Pick<hbs.AST.SubExpression, "params" | "hash"> {
  readonly path: hbs.AST.Expression;
}

/** Goes through a template and compares each name with what there will be. */
export class TemplateCheck {
  readonly #source: string;
  readonly #helpers: readonly string[];

  /** @param source what messages call the template */
  constructor(source: string, helpers: readonly string[]) {
    this.#source = source;
    this.#helpers = helpers;
  }

  /** @throws FileError that names the template, the line, and what may stand there */
  program({ body }: hbs.AST.Program, contexts: Contexts): void {
    for (const statement of body) this.#statement(statement, contexts);
  }

  #statement(statement: hbs.AST.Statement, contexts: Contexts): void {
    switch (statement.type) {
      case "ContentStatement":
      case "CommentStatement":
        break;
      case "MustacheStatement":
        this.#call(statement as hbs.AST.MustacheStatement, contexts);
        break;
      case "BlockStatement":
        this.#with(statement as hbs.AST.BlockStatement, contexts);
        break;
      default:
        throw this.#mistake(
          statement,
          "partials and decorators are not for files; use fields, helpers and #with",
        );
    }
  }

  /** A field, or a helper with one value. */
  #call({ path, params, hash }: Call, contexts: Contexts): void {
    const name = wordsOf(path);
    const [value] = params;
    if (this.#helpers.includes(name)) {
      if (value === undefined || params.length > 1 || hash !== undefined)
        throw this.#mistake(path, `${name} takes one value, e.g. {{${name} password}}`);
      this.#value(value, contexts);
    } else if (value !== undefined || hash !== undefined)
      throw this.#mistake(
        path,
        `there is no helper ${JSON.stringify(name)}; there are ${this.#helpers.join(", ")}`,
      );
    else this.#value(path, contexts);
  }

  /** What is printed, or given to a helper. */
  #value(expression: hbs.AST.Expression, contexts: Contexts): void {
    if (expression.type === "SubExpression")
      this.#call(expression as hbs.AST.SubExpression, contexts);
    else {
      const found = this.#find(expression, contexts);
      if (found !== "value")
        throw this.#mistake(
          expression,
          `${wordsOf(expression)} has fields; name one of ${namesOf(found)}`,
        );
    }
  }

  #with(
    { path, params, hash, program, inverse }: hbs.AST.BlockStatement,
    contexts: Contexts,
  ): void {
    if (wordsOf(path) !== "with")
      throw this.#mistake(path, `there is no block #${wordsOf(path)}; there is #with`);
    const [name] = params;
    if (name === undefined || params.length > 1 || hash !== undefined || inverse !== undefined)
      throw this.#mistake(path, "#with takes the name of a login, and has no else");
    if (program.blockParams !== undefined)
      throw this.#mistake(path, "#with gives no names; fields stand alone in it");
    const found = this.#find(name, contexts);
    if (found === "value") throw this.#mistake(name, `${wordsOf(name)} has no fields, for #with`);
    this.program(program, [...contexts, found]);
  }

  #find(expression: hbs.AST.Expression, contexts: Contexts): Context {
    const path = pathOf(expression);
    let found = path === undefined || path.data ? undefined : contexts.at(-1 - path.depth);
    if (path === undefined || found === undefined)
      throw this.#mistake(expression, `${wordsOf(expression)} is no field`);
    for (const part of path.parts) {
      const known: Context = found;
      found = known === "value" ? undefined : known.get(part);
      if (found === undefined)
        throw this.#mistake(
          path,
          `there is no field ${JSON.stringify(path.original)}; there are ${namesOf(known)}`,
        );
    }
    return found;
  }

  #mistake(node: hbs.AST.Node, words: string): FileError {
    return new FileError(`${this.#source}, line ${node.loc.start.line}: ${words}`);
  }
}

const pathOf = (expression: hbs.AST.Expression): hbs.AST.PathExpression | undefined =>
  expression.type === "PathExpression" ? (expression as hbs.AST.PathExpression) : undefined;

/** An expression as it was written. */
const wordsOf = (expression: hbs.AST.Expression): string =>
  pathOf(expression)?.original ?? expression.type;

/** As they are written: a slash would part a path in two. */
function namesOf(context: Context): string {
  if (context === "value") return "none";
  return [...context.keys()].map((name) => (/^\w+$/.test(name) ? name : `[${name}]`)).join(", ");
}
