import {
  Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import type { Change, Path } from "./change.ts";
import { isOpenBlock } from "./read-yaml.ts";
import type { Made } from "./written.ts";

/** A part of a text that is replaced. Offsets in UTF-16 units. */
interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * Change a document in its text: what is not changed stays to the byte, with its comments, order
 * and quotes.
 *
 * @param document parsed from all of `text`
 * @returns undefined if two changes meet at one place, as with anchors that are used twice
 */
export function editText(
  text: string,
  document: Document.Parsed,
  changes: readonly Change[],
): string | undefined {
  const editor = new Editor(text, document);
  // only then is it known what else goes, and so which commas go with it
  editsOf(editor, changes);
  return applied(text, editsOf(editor, changes));
}

function editsOf(editor: Editor, changes: readonly Change[]): readonly Edit[] {
  const entries = new Map<string, EntryChange[]>();
  const edits = changes.flatMap((change) => {
    if (change.kind === "items") return editor.itemEdits(change);
    const key = JSON.stringify(change.at);
    entries.set(key, [...(entries.get(key) ?? []), change]);
    return [];
  });
  return [...[...entries.values()].flatMap((each) => editor.entryEdits(each)), ...edits];
}

type EntryChange = Change & { readonly kind: "entry" };
type ItemChange = Change & { readonly kind: "items" };

function applied(text: string, edits: readonly Edit[]): string | undefined {
  const sorted = [...edits].sort((a, b) => a.start - b.start);
  let made = "";
  let done = 0;
  for (const [index, edit] of sorted.entries()) {
    const before = sorted[index - 1];
    // two users of one anchor
    const isSame =
      before?.start === edit.start && before.end === edit.end && before.text === edit.text;
    if (isSame) continue;
    if (edit.start >= done) {
      made += text.slice(done, edit.start) + edit.text;
      done = edit.end;
    } else if (edit.start === edit.end && made.endsWith("\n")) {
      // new lines behind one that is removed
      const lines = edit.text.replace(/^\r?\n/, "");
      made += text[done - 1] === "\n" ? `${lines}${edit.text.slice(0, -lines.length)}` : lines;
    } else if (edit.start === edit.end && done === text.length) made += edit.text;
    else return undefined;
  }
  return made + text.slice(done);
}

type AnyPair = Pair<unknown, unknown>;

class Editor {
  readonly #text: string;
  readonly #document: Document.Parsed;
  readonly #newline: string;
  /** Items and pairs in braces and brackets that are removed. */
  readonly #gone = new Set<unknown>();

  constructor(text: string, document: Document.Parsed) {
    this.#text = text;
    this.#document = document;
    this.#newline = text.includes("\r\n") ? "\r\n" : "\n";
  }

  #nodeAt(path: Path): Node | undefined {
    let node: Node | undefined = this.#document.contents ?? undefined;
    for (const key of path) node = this.#child(node, key);
    return node;
  }

  #child(node: Node | undefined, key: string | number): Node | undefined {
    if (typeof key === "number") return isSeq(node) ? this.#real(node.items[key]) : undefined;
    return isMap(node) ? this.#real(pairOf(node, key)?.value) : undefined;
  }

  /** What an alias stands for. */
  #real(value: unknown): Node | undefined {
    if (isAlias(value)) return value.resolve(this.#document);
    return isMap(value) || isSeq(value) || isScalar(value) ? value : undefined;
  }

  /** Entries of one map. What is new stands where the first one that is gone stood. */
  entryEdits(changes: readonly EntryChange[]): readonly Edit[] {
    const map = this.#nodeAt(changes[0]?.at ?? []);
    if (!isMap(map)) return [];
    const edits: Edit[] = [];
    const gone: AnyPair[] = [];
    const added: EntryChange[] = [];
    for (const change of changes) {
      const { key, value } = change;
      const pair = pairOf(map, key);
      if (pair === undefined) {
        if (value !== undefined) added.push(change);
      } else if (value === undefined) gone.push(pair);
      else if (!isScalar(pair.value) || pair.value.value !== value) {
        const [start, end] = rangeOf(pair.value);
        edits.push({ start, end, text: quoted(value) });
      }
    }
    if (gone.length === map.items.length && gone.length > 0 && added.length === 0) {
      const [start] = rangeOf(map);
      return [{ start, end: this.#endOf(map).trimmed, text: "{}" }];
    }
    const [place] = gone;
    if (place === undefined)
      return [...edits, ...added.map(({ key, value = "" }) => this.#withPair(map, key, value))];
    if (added.length === 0) return [...edits, ...gone.map((pair) => this.#withoutPair(map, pair))];
    const others = gone
      .slice(1)
      .map((pair) =>
        map.flow === true ? this.#withoutComma(map, pair) : this.#withoutPair(map, pair),
      );
    return [...edits, this.#replacedPair(map, place, added), ...others];
  }

  #replacedPair(map: YAMLMap, place: AnyPair, added: readonly EntryChange[]): Edit {
    const [start] = rangeOf(place.key);
    const isInline = map.flow === true && !this.#isFirstInLine(start);
    const margin = map.flow === true ? this.#marginOf(start) : " ".repeat(this.#columnOfKey(start));
    const gap = isInline ? " " : this.#newline + margin;
    const text = added
      .map(({ key, value = "" }) => `${writtenKey(map, key)}: ${quoted(value)}`)
      .join(`${map.flow === true ? "," : ""}${gap}`);
    const { trimmed } = this.#endOf(place);
    return { start, end: trimmed, text };
  }

  /** A pair of a flow map that is not the first, and the comma before it. */
  #withoutComma(map: YAMLMap, pair: AnyPair): Edit {
    const before = map.items[map.items.indexOf(pair) - 1];
    return { start: this.#endOf(before).trimmed, end: this.#endOf(pair).trimmed, text: "" };
  }

  itemEdits(change: ItemChange): readonly Edit[] {
    const map = this.#nodeAt(change.at);
    if (!isMap(map)) return [];
    const { key, names, item, position } = change;
    const pair = pairOf(map, key);
    const list = this.#real(pair?.value);
    const items = isSeq(list) ? list.items : [];
    const own = items.filter((each) => {
      const name = this.#child(this.#real(each), "name");
      return isScalar(name) && names.includes(String(name.value));
    });
    if (item === undefined) {
      if (pair === undefined || !isSeq(list) || own.length === 0) return [];
      if (own.length === items.length) return [this.#withoutPair(map, pair)];
      return own.map((each) => this.#withoutItem(list, each));
    }
    const [first, ...others] = own;
    if (isSeq(list) && first !== undefined && position === "first" && first !== items[0])
      return [
        this.#withItem(list, item, position),
        ...own.map((each) => this.#withoutItem(list, each)),
      ];
    if (isSeq(list) && first !== undefined)
      return [this.#replaced(first, item), ...others.map((each) => this.#withoutItem(list, each))];
    if (pair === undefined) return [this.#withPair(map, key, [item])];
    if (isSeq(list) && items.length > 0) return [this.#withItem(list, item, position)];
    return [this.#withFirstItem(map, pair, item)];
  }

  #replaced(node: unknown, item: Made): Edit {
    const [start] = rangeOf(node);
    return { start, end: this.#endOf(node).trimmed, text: this.#written(node, item, start) };
  }

  /** An item or a value in the style of `like`, which is there or would be. */
  #written(like: unknown, made: Made, start: number): string {
    if (!isFlow(like)) return this.#block(made, this.#columnOf(start));
    return this.#isFirstInLine(start) ? this.#pretty(made, start) : quoted(made);
  }

  #block(made: Made, column: number): string {
    return this.#indented(yamlOf(made), " ".repeat(column));
  }

  /** In lines, as the one where something begins is indented: in JSON with tabs perhaps. */
  #pretty(made: Made, start: number): string {
    const margin = this.#marginOf(start);
    return this.#indented(quoted(made, margin.includes("\t") ? "\t" : 2), margin);
  }

  #indented(text: string, margin: string): string {
    return text.replaceAll("\n", `${this.#newline}${margin}`);
  }

  /** A list that begins in a line of its own, and has an item there. */
  #withItem(list: YAMLSeq, item: Made, position: "first" | "last"): Edit {
    const [first] = list.items;
    const last = list.items.at(-1);
    if (list.flow === true) {
      const [start] = rangeOf(first);
      const made = this.#isFirstInLine(start) ? this.#pretty(item, start) : quoted(item);
      const gap = this.#isFirstInLine(start) ? `,${this.#newline}${this.#marginOf(start)}` : ", ";
      if (position === "first") return insertion(start, made + gap);
      return insertion(this.#endOf(last).trimmed, gap + made);
    }
    const column = this.#columnOf(rangeOf(list)[0]);
    const made = `- ${this.#block(item, column + 2)}`;
    if (position === "last") return this.#lineAfter(last, made, column);
    const at = this.#lineStart(rangeOf(list)[0]);
    return insertion(at, `${" ".repeat(column)}${made}${this.#newline}`);
  }

  /** The value of a pair is empty, or an empty list. */
  #withFirstItem(map: YAMLMap, pair: AnyPair, item: Made): Edit {
    const [start, end] = rangeOf(pair.value);
    const [keyStart] = rangeOf(pair.key);
    const column = this.#columnOfKey(keyStart);
    if (map.flow === true) return { start, end, text: this.#flowList(item, keyStart) };
    const text = `${this.#newline}${" ".repeat(column)}- ${this.#block(item, column + 2)}`;
    // behind the comment of a key without a value
    if (start === end) return insertion(this.#lineEnd(rangeOf(pair.key)[1]), text);
    const gap = /[ \t]*$/.exec(this.#text.slice(0, start))?.[0].length ?? 0;
    const lineEnd = this.#lineEnd(end);
    const comment = this.#text.slice(end, lineEnd);
    return { start: start - gap, end: lineEnd, text: `${comment}${text}` };
  }

  #flowList(item: Made, keyStart: number): string {
    return this.#isFirstInLine(keyStart) ? this.#pretty([item], keyStart) : quoted([item]);
  }

  /** Behind the last pair. */
  #withPair(map: YAMLMap, key: string, value: string | readonly Made[]): Edit {
    const [first] = map.items;
    const last = map.items.at(-1);
    const [start] = rangeOf(first?.key);
    const column = this.#columnOfKey(start);
    if (map.flow === true) {
      const isPretty = this.#isFirstInLine(start);
      const made = isPretty ? this.#pretty(value, start) : quoted(value);
      const gap = isPretty ? `,${this.#newline}${this.#marginOf(start)}` : ", ";
      return insertion(this.#endOf(last).trimmed, `${gap}${quoted(key)}: ${made}`);
    }
    const made =
      typeof value === "string"
        ? `${key}: ${quoted(value)}`
        : `${key}:${value
            .map((each) => `\n- ${this.#unindented(each)}`)
            .join("")
            .replaceAll("\n", `${this.#newline}${" ".repeat(column)}`)}`;
    return this.#isOpen(last)
      ? this.#pairBefore(map.items.at(-2), start, made, column)
      : this.#lineAfter(last, made, column);
  }

  /** Whether a line behind a node would give its last text a line end. */
  #isOpen(node: unknown): boolean {
    const last = lastLeaf(node);
    return isScalar(last) && isOpenBlock(last, this.#text);
  }

  /** Behind the last pair but one, or before the only one, whose key starts there. */
  #pairBefore(pair: AnyPair | undefined, start: number, made: string, column: number): Edit {
    if (pair !== undefined) return this.#lineAfter(pair, made, column);
    const at = this.#lineStart(start) + column;
    return insertion(at, `${made}${this.#newline}${" ".repeat(column)}`);
  }

  /** An item's lines behind its dash. */
  #unindented(made: Made): string {
    return yamlOf(made).replaceAll("\n", "\n  ");
  }

  /** New lines behind the last one of a node. */
  #lineAfter(node: unknown, made: string, column: number): Edit {
    const { end, isLineEnd } = this.#endOf(node);
    const indent = " ".repeat(column);
    if (isLineEnd) return insertion(end, `${indent}${made}${this.#newline}`);
    return insertion(this.#lineEnd(end), `${this.#newline}${indent}${made}`);
  }

  #withoutItem(list: YAMLSeq, item: unknown): Edit {
    const index = list.items.indexOf(item);
    const [start] = rangeOf(item);
    if (list.flow === true) return this.#withoutFlow(list.items, index);
    return this.#withoutLines(this.#text.lastIndexOf("-", start - 1), item);
  }

  #withoutPair(map: YAMLMap, pair: AnyPair): Edit {
    if (map.flow === true) return this.#withoutFlow(map.items, map.items.indexOf(pair));
    const [start] = rangeOf(pair.key);
    return this.#withoutLines(start, pair);
  }

  /** With the comma behind it, or the one before it if nothing stays behind it. */
  #withoutFlow(items: readonly unknown[], index: number): Edit {
    const startOf = (item: unknown): number => rangeOf(isPairNode(item) ? item.key : item)[0];
    const item = items[index];
    this.#gone.add(item);
    const stays = (each: unknown): boolean => !this.#gone.has(each);
    if (items.slice(index + 1).some(stays))
      return { start: startOf(item), end: startOf(items[index + 1]), text: "" };
    const before = items[index - 1];
    const from = before === undefined ? startOf(item) : this.#endOf(before).trimmed;
    return { start: from, end: this.#endOf(item).trimmed, text: "" };
  }

  #withoutLines(start: number, node: unknown): Edit {
    const { end, isLineEnd } = this.#endOf(node);
    const lineEnd = isLineEnd ? end : this.#nextLine(end);
    return { start: this.#lineStart(start), end: lineEnd, text: "" };
  }

  /** Where the last scalar of a node ends, and whether that is the end of its line. */
  #endOf(node: unknown): {
    readonly end: number;
    readonly trimmed: number;
    readonly isLineEnd: boolean;
  } {
    const last = lastLeaf(node);
    const [start, end] = rangeOf(last);
    const isBlock =
      isScalar(last) && (last.type === Scalar.BLOCK_LITERAL || last.type === Scalar.BLOCK_FOLDED);
    const trimmed = start + this.#text.slice(start, end).trimEnd().length;
    return {
      end: isBlock ? end : trimmed,
      trimmed,
      isLineEnd: isBlock && this.#text[end - 1] === "\n",
    };
  }

  #lineStart(offset: number): number {
    return this.#text.lastIndexOf("\n", offset - 1) + 1;
  }

  /** Before the line's end, whichever it is. */
  #lineEnd(offset: number): number {
    const at = this.#text.indexOf("\n", offset);
    if (at === -1) return this.#text.length;
    return this.#text[at - 1] === "\r" ? at - 1 : at;
  }

  #nextLine(offset: number): number {
    const at = this.#text.indexOf("\n", offset);
    return at === -1 ? this.#text.length : at + 1;
  }

  #columnOf(offset: number): number {
    return offset - this.#lineStart(offset);
  }

  /** Of a key with what may stand before it: an anchor, a tag, a question mark. */
  #columnOfKey(offset: number): number {
    const before = this.#marginOf(offset);
    return before.length - (/(?:(?:[&!]\S*|\?)[ \t]+)*$/.exec(before)?.[0].length ?? 0);
  }

  /** What stands before an offset in its line. */
  #marginOf(offset: number): string {
    return this.#text.slice(this.#lineStart(offset), offset);
  }

  #isFirstInLine(offset: number): boolean {
    return this.#marginOf(offset).trim() === "";
  }
}

/** What Kubernetes' parser refuses, or takes for the end of a line. */
const UNPRINTABLE = /(?![\t\n])[\p{Cc}\u2028\u2029\ufeff\ufffe\uffff]/gu;

const escaped = (text: string): string =>
  text.replace(UNPRINTABLE, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** As JSON has it, which is YAML too. */
const quoted = (made: Made, indent?: number | string): string =>
  escaped(JSON.stringify(made, null, indent));

function yamlOf(made: Made): string {
  const document = new Document(made, { version: "1.1", schema: "yaml-1.1" });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === "string" && escaped(node.value) !== node.value)
        node.type = Scalar.QUOTE_DOUBLE;
    },
  });
  // what YAML 1.1 takes for a number or a truth is quoted: Kubernetes reads that
  return escaped(document.toString({ lineWidth: 0 }).trimEnd());
}

const insertion = (at: number, text: string): Edit => ({ start: at, end: at, text });

const pairOf = (map: YAMLMap, key: string): AnyPair | undefined =>
  map.items.find((pair) => isScalar(pair.key) && pair.key.value === key);

const writtenKey = (map: YAMLMap, key: string): string =>
  map.flow === true ? JSON.stringify(key) : key;

const isPairNode = (value: unknown): value is AnyPair =>
  typeof value === "object" && value !== null && "key" in value && "value" in value;

const isFlow = (node: unknown): boolean => (isMap(node) || isSeq(node)) && node.flow === true;

/** The last part of a node that has a text of its own. */
function lastLeaf(node: unknown): unknown {
  if (isPairNode(node) && !isScalar(node))
    return node.value === null ? node.key : lastLeaf(node.value);
  if ((isMap(node) || isSeq(node)) && node.flow !== true) {
    const last: unknown = node.items.at(-1);
    return last === undefined ? node : lastLeaf(last);
  }
  return node;
}

function rangeOf(node: unknown): readonly [number, number] {
  const [start = 0, end = 0] = (node as Node | undefined)?.range ?? [];
  return [start, end];
}
