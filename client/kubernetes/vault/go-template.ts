/** A part of a template, in the order of the file. No two texts stand side by side. */
export type Piece =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "field";
      /** The innermost secret around it, as the template has it. */
      readonly path: string;
      /** The names after the dots: `["Data", "username"]`. */
      readonly names: readonly string[];
      readonly offset: number;
    };

/** Something that has no counterpart, and where it stands. */
export interface TemplateProblem {
  /** In the template. Unit: UTF-16 code units. */
  readonly offset: number;
  /** What it is, and what to do. */
  readonly words: string;
}

export interface ParsedTemplate {
  readonly pieces: readonly Piece[];
  readonly problems: readonly TemplateProblem[];
}

export interface Delimiters {
  readonly left: string;
  readonly right: string;
}

/**
 * Parse the part of Go's text/template that files of Vault's injector are made of: `with secret`
 * and `end`, fields, comments, and trim marks. Spaces are trimmed as Go does it.
 *
 * @param delimiters not empty, and each without a space.
 * @returns every problem; `pieces` are whole only if there is none.
 */
export function parseGoTemplate(text: string, delimiters: Delimiters): ParsedTemplate {
  return new TemplateParser(text, delimiters).parse();
}

interface Token {
  readonly kind: "word" | "string" | "field" | "variable" | "number" | "symbol";
  readonly text: string;
  readonly offset: number;
}

interface Action {
  readonly tokens: readonly Token[];
  readonly offset: number;
  /** After its delimiter. */
  readonly end: number;
  /** The spaces after it are trimmed. */
  readonly trimsAfter: boolean;
}

/** What an `end` closes: a secret, or something that was refused. */
interface Frame {
  readonly path: string | undefined;
  readonly offset: number;
}

/** Nothing after this can be read. */
class Unreadable extends Error {
  readonly offset: number;

  constructor(offset: number, words: string) {
    super(words);
    this.offset = offset;
  }
}

const SPACES = " \t\r\n";
const isSpace = (character: string | undefined): boolean =>
  character !== undefined && character !== "" && SPACES.includes(character);

/** What tokens look like. Go's letters and digits are Unicode's. */
const TOKENS: readonly (readonly [Token["kind"], RegExp])[] = [
  ["field", /(?:\.[\p{L}_][\p{L}\p{Nd}_]*)+/uy],
  ["variable", /\$[\p{L}\p{Nd}_]*(?:\.[\p{L}_][\p{L}\p{Nd}_]*)*/uy],
  ["word", /[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ["number", /[+-]?\.?\d[\p{L}\p{Nd}_.]*/uy],
  ["symbol", /:=|./suy],
];

const OPENERS = ["if", "range", "block", "define"];

class TemplateParser {
  readonly #source: string;
  readonly #delimiters: Delimiters;
  readonly #pieces: Piece[] = [];
  readonly #problems: TemplateProblem[] = [];
  readonly #frames: Frame[] = [];

  constructor(source: string, delimiters: Delimiters) {
    this.#source = source;
    this.#delimiters = delimiters;
  }

  parse(): ParsedTemplate {
    try {
      this.#run();
      for (const { offset } of this.#frames)
        this.#problem(offset, `nothing closes it; write ${this.#written("end")} after it`);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      this.#problem(error.offset, error.message);
    }
    return { pieces: this.#pieces, problems: this.#problems };
  }

  #run(): void {
    const { left } = this.#delimiters;
    let at = 0;
    for (;;) {
      const open = this.#source.indexOf(left, at);
      if (open === -1) {
        this.#text(this.#source.slice(at));
        return;
      }
      const trimsBefore =
        this.#source[open + left.length] === "-" && this.#isSpaceAt(open + left.length + 1);
      const text = this.#source.slice(at, open);
      this.#text(trimsBefore ? trimmedEnd(text) : text);
      const inner = open + left.length + (trimsBefore ? 2 : 0);
      const action = this.#source.startsWith("/*", inner)
        ? this.#comment(open, inner)
        : this.#action(open, inner);
      at = action.end;
      if (action.trimsAfter) while (this.#isSpaceAt(at)) at += 1;
    }
  }

  #comment(offset: number, inner: number): Action {
    const close = this.#source.indexOf("*/", inner + 2);
    if (close === -1) throw new Unreadable(offset, "a comment without its end; write */ after it");
    const end = this.#endAt(close + 2);
    if (end === undefined)
      throw new Unreadable(
        offset,
        `a comment must end with its action; write */${this.#delimiters.right}`,
      );
    return { tokens: [], offset, ...end };
  }

  #action(offset: number, inner: number): Action {
    const tokens: Token[] = [];
    let at = inner;
    for (;;) {
      const end = this.#endAt(at);
      if (end !== undefined) {
        const action = { tokens, offset, ...end };
        this.#take(action);
        return action;
      }
      if (at >= this.#source.length)
        throw new Unreadable(offset, `nothing closes it; write ${this.#delimiters.right} after it`);
      if (this.#isSpaceAt(at)) at += 1;
      else {
        const token = this.#token(at);
        tokens.push(token);
        at += token.text.length;
      }
    }
  }

  /** The end of an action, if it stands here: `}}`, or ` -}}` which trims. */
  #endAt(at: number): Pick<Action, "end" | "trimsAfter"> | undefined {
    const { right } = this.#delimiters;
    if (this.#isSpaceAt(at) && this.#source.startsWith(`-${right}`, at + 1))
      return { end: at + 2 + right.length, trimsAfter: true };
    if (this.#source.startsWith(right, at)) return { end: at + right.length, trimsAfter: false };
    return undefined;
  }

  #token(offset: number): Token {
    const first = this.#source[offset];
    if (first === '"' || first === "'" || first === "`") return this.#quoted(offset, first);
    for (const [kind, pattern] of TOKENS) {
      pattern.lastIndex = offset;
      const [text] = pattern.exec(this.#source) ?? [];
      if (text !== undefined) return { kind, text, offset };
    }
    throw new RangeError("a character is at least a symbol");
  }

  #quoted(offset: number, quote: string): Token {
    for (let at = offset + 1; at < this.#source.length; at += 1) {
      const character = this.#source[at];
      if (character === "\n" && quote !== "`") break;
      if (character === quote)
        return {
          kind: quote === "'" ? "symbol" : "string",
          text: this.#source.slice(offset, at + 1),
          offset,
        };
      if (character === "\\" && quote !== "`") at += 1;
    }
    throw new Unreadable(offset, `a text in quotes without its end; write ${quote} after it`);
  }

  #take(action: Action): void {
    const [first, ...others] = action.tokens;
    if (first === undefined)
      this.#problem(action.offset, "an action with nothing in it; remove it");
    else if (first.kind === "word" && first.text === "end") this.#close(action, others);
    else if (first.kind === "word" && first.text === "with") this.#open(action);
    else if (first.kind === "field" && others.length === 0) this.#field(action, first);
    else {
      this.#problem(action.offset, this.#refusal(action.tokens, first));
      if (first.kind === "word" && OPENERS.includes(first.text))
        this.#frames.push({ path: undefined, offset: action.offset });
    }
  }

  #open({ tokens, offset }: Action): void {
    const [, call, path, ...others] = tokens;
    const isSecret =
      call?.text === "secret" &&
      path?.kind === "string" &&
      others.length === 0 &&
      this.#isSpaceAt(path.offset - 1);
    const plain = isSecret ? plainText(path.text) : undefined;
    if (!isSecret)
      this.#problem(
        offset,
        `${this.#written('with secret "database/creds/…"')} is all that "with" may be`,
      );
    else if (plain === undefined)
      this.#problem(path.offset, "a path with a backslash; write it as it is, without escapes");
    this.#frames.push({ path: plain, offset });
  }

  #close({ offset }: Action, others: readonly Token[]): void {
    if (others.length > 0) this.#problem(offset, '"end" stands alone; remove what follows it');
    if (this.#frames.pop() === undefined)
      this.#problem(offset, 'there is nothing for this "end" to close; remove it');
  }

  #field({ offset }: Action, { text }: Token): void {
    const frame = this.#frames.at(-1);
    if (frame === undefined)
      this.#problem(
        offset,
        `${text} stands in no secret; put ${this.#written('with secret "…"')} before it`,
      );
    else if (frame.path !== undefined)
      this.#pieces.push({
        kind: "field",
        path: frame.path,
        names: text.slice(1).split("."),
        offset,
      });
  }

  #refusal(tokens: readonly Token[], first: Token): string {
    const pipe = tokens.findIndex(({ text }) => text === "|");
    if (tokens.some(({ text, kind }) => kind === "variable" || text === ":="))
      return "variables are not translated; write .Data.username and .Data.password themselves";
    if (pipe > 0) return pipelineRefusal(tokens[pipe + 1]?.text ?? "");
    if (first.kind === "word")
      return (
        OTHERS.get(first.text) ?? `the function ${JSON.stringify(first.text)} is not translated`
      );
    return "this is not translated; a template has fields such as .Data.username alone";
  }

  #text(text: string): void {
    if (text === "") return;
    const nul = text.indexOf("\0");
    if (nul !== -1) throw new Unreadable(0, "a zero byte is in the text; remove it");
    const last = this.#pieces.at(-1);
    if (last?.kind !== "text") this.#pieces.push({ kind: "text", text });
    else this.#pieces[this.#pieces.length - 1] = { kind: "text", text: last.text + text };
  }

  #isSpaceAt(at: number): boolean {
    return isSpace(this.#source[at]);
  }

  /** An action in this template's delimiters. */
  #written(inner: string): string {
    return `${this.#delimiters.left} ${inner} ${this.#delimiters.right}`;
  }

  #problem(offset: number, words: string): void {
    this.#problems.push({ offset, words });
  }
}

function trimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** What is in quotes. Undefined if it has escapes. */
function plainText(quoted: string): string | undefined {
  const inner = quoted.slice(1, -1);
  return quoted.startsWith('"') && inner.includes("\\") ? undefined : inner;
}

/** consul-template's functions that have a helper here. */
const HELPER_OF: ReadonlyMap<string, string> = new Map([
  ["toJSON", "json"],
  ["toUnescapedJSON", "json"],
  ["urlquery", "url"],
]);

function pipelineRefusal(name: string): string {
  const helper = HELPER_OF.get(name);
  return helper === undefined
    ? `the pipeline into ${JSON.stringify(name)} is not translated`
    : `the pipeline into ${name} is not translated; {{${helper} password}} does that in a template of Mayfly's`;
}

const NO_PROGRAMS = "is not translated: a template here has no conditions and no loops";

/** What may begin an action in Go, and is refused. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ["if", `"if" ${NO_PROGRAMS}`],
  ["else", `"else" ${NO_PROGRAMS}`],
  ["range", `"range" ${NO_PROGRAMS}`],
  ["break", `"break" ${NO_PROGRAMS}`],
  ["continue", `"continue" ${NO_PROGRAMS}`],
  ["define", '"define" is not translated: write its text where it is used'],
  ["template", '"template" is not translated: write its text here'],
  ["block", '"block" is not translated: write its text here'],
  ["secret", 'a secret stands in "with": {{ with secret "…" }} … {{ end }}'],
  [
    "env",
    '"env" is not translated: the agent does not see the application\'s environment; write the value',
  ],
  ["file", '"file" is not translated: a template reads no file; write the text'],
  ["key", '"key" is not translated: there is no Consul; write the value'],
]);
