import { type Position, positionWords } from "./written-annotation.ts";

/** A value, or where and why the text has none. */
export interface ParsedJson {
  readonly value?: unknown;
  readonly fault?: string;
}

/** The value of a text, if it is JSON. */
export function parsedJson(text: string): ParsedJson {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: faultIn(text) ?? String(error) };
  }
}

/** Where a text is no JSON, and what would be read there. */
interface JsonFault {
  readonly offset: number;
  readonly expected: string;
}

/**
 * Where and why a text is no JSON, e.g. `its line 1, column 7: expected a value, got x`. Undefined if it
 * is JSON. V8's own messages have a position or what was found there, and not always either.
 */
function faultIn(text: string): string | undefined {
  const reader = new Reader(text);
  reader.whole();
  if (reader.fault === undefined) return undefined;
  const { offset, expected } = reader.fault;
  return `its ${positionWords(positionOf(text, offset))}: expected ${expected}, got ${foundAt(text, offset)}`;
}

function positionOf(text: string, offset: number): Position {
  const lines = text.slice(0, offset).split("\n");
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

/** A word, or one character. */
function foundAt(text: string, offset: number): string {
  if (offset >= text.length) return "the end";
  const [found = ""] = /^(?:[\w.+-]{1,20}|\P{C}|[\s\S])/u.exec(text.slice(offset)) ?? [];
  return /^[\p{C}\s]/u.test(found)
    ? `U+${(found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`
    : found;
}

const SPACES = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /(?:true|false|null)(?!\w)/y;
/** What may stand in a string: from the space on, and escapes. */
const CHARACTERS = /(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y;

const VALUE = "a value";

/** Brackets in each other. Nobody writes as many, and each takes a frame of the call stack. */
const DEEPEST = 500;

/** Reads as far as a text is JSON. */
class Reader {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  fault: JsonFault | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): void {
    this.#value();
    this.#skip(SPACES);
    if (this.#at < this.#text.length) this.#fail("the end");
  }

  #value(): void {
    this.#skip(SPACES);
    const next = this.#text[this.#at];
    if (next === "{") this.#list("}", () => this.#member());
    else if (next === "[") this.#list("]", () => this.#value());
    else if (next === '"') this.#string(VALUE);
    else if (!this.#skip(NUMBER) && !this.#skip(WORD)) this.#fail(VALUE);
  }

  /** What is in brackets, with commas between. */
  #list(end: string, item: () => void): void {
    if (this.#depth === DEEPEST) {
      this.#fail("fewer brackets in each other");
      return;
    }
    this.#at += 1;
    if (this.#takes(end)) return;
    this.#depth += 1;
    do item();
    while (this.fault === undefined && this.#takes(","));
    this.#depth -= 1;
    if (this.fault === undefined && !this.#takes(end)) this.#fail(`, or ${end}`);
  }

  #member(): void {
    this.#skip(SPACES);
    this.#string("a name in double quotes");
    if (this.fault !== undefined) return;
    if (this.#takes(":")) this.#value();
    else this.#fail(":");
  }

  #string(what: string): void {
    if (!this.#takes('"')) {
      this.#fail(what);
      return;
    }
    this.#skip(CHARACTERS);
    if (this.#text[this.#at] === '"') this.#at += 1;
    else
      this.#fail(
        this.#text[this.#at] === "\\"
          ? "an escape of JSON"
          : "a character of a text, or its end in double quotes",
      );
  }

  #takes(mark: string): boolean {
    this.#skip(SPACES);
    if (this.#text[this.#at] !== mark) return false;
    this.#at += 1;
    return true;
  }

  /** @returns whether there was any of it. */
  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }

  #fail(expected: string): void {
    this.fault ??= { offset: this.#at, expected };
  }
}
