import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  parseDocument,
  Scalar,
  type ScalarTag,
  type YAMLMap,
} from "yaml";
import type { Written, WrittenMap } from "./written.ts";

/**
 * A document as Kubernetes reads it: by YAML 1.1 as go-yaml 2 has it, so `yes` is true, `0400` is
 * 256, and of two entries the last one counts, also if it comes from a `<<`.
 */
export interface ReadDocument {
  readonly parsed: Document.Parsed;
  readonly written: Written;
  /** Keys of a map whose values are no texts, with what stands there. */
  readonly noTexts: (map: WrittenMap) => ReadonlyMap<string, string>;
  /** Undefined: none. */
  readonly error: YamlError | undefined;
  /** It ends in a block of text without a line end: one behind it would change the value. */
  readonly endsOpen: boolean;
}

export interface YamlError {
  /** In the text, counted from 1. */
  readonly line: number;
  readonly message: string;
  /** Everything could be read all the same: only keys are written twice. */
  readonly isReadable: boolean;
}

/** Read one document. */
export function readYaml(text: string): ReadDocument {
  const parsed = parseDocument(text, {
    schema: "failsafe",
    customTags: (tags) => [...tags, ...KUBERNETES_TAGS],
    merge: true,
    version: "1.2",
  });
  const reader = new Reader(text);
  const noTexts = (map: WrittenMap) => reader.noTexts.get(map) ?? new Map<string, string>();
  const [first] = parsed.errors;
  const isReadable = parsed.errors.every(({ code }) => code === "DUPLICATE_KEY");
  const written = isReadable ? reader.read(parsed.contents) : "";
  const [words = ""] = first?.message.split(/ at line |\n/) ?? [];
  const message = words.includes("call stack") ? "it is nested too deeply" : words;
  const line = first?.linePos?.[0].line ?? 1;
  const error = first === undefined ? reader.error : { line, message, isReadable };
  return { parsed, written, noTexts, error, endsOpen: reader.endsOpen };
}

const scalarTag = (name: string, test: RegExp, resolve: (text: string) => string): ScalarTag => ({
  tag: `tag:yaml.org,2002:${name}`,
  default: true,
  test,
  // kept with each scalar: it is no text
  format: name,
  resolve,
});

/** Scalars that are no texts to Kubernetes. Each is read as JSON would have it, null as nothing. */
const KUBERNETES_TAGS: readonly ScalarTag[] = [
  scalarTag("null", /^(?:|~|null|Null|NULL)$/, () => ""),
  scalarTag("bool", /^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/, () => "true"),
  scalarTag("bool", /^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/, () => "false"),
  scalarTag("int", /^[-+]?(?:0[xX][\da-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]*|[1-9][\d_]*)$/, decimal),
  scalarTag("float", /^[-+]?(?:\.\d[\d_]*|\d[\d_]*(?:\.[\d_]*)?)(?:[eE][-+]?\d+)?$/, (text) =>
    String(Number(text.replaceAll("_", ""))),
  ),
  scalarTag("float", /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/, (text) => text),
];

function decimal(text: string): string {
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/.exec(text.replaceAll("_", "")) ?? [];
  const plain = /^0\d/.test(digits) ? `0o${digits.slice(1)}` : digits;
  try {
    return String(BigInt(plain) * (sign === "-" ? -1n : 1n));
  } catch {
    return text; // such as 0x_
  }
}

/** What is behind an anchor. */
interface Anchored {
  readonly written: Written;
  /** Values in it. */
  readonly size: number;
  /** What stands there, if it is a scalar and no text. */
  readonly noText: string | undefined;
}

/** Values of a document, with those of aliases: more is no manifest. */
const MOST_VALUES = 2_000_000;

class Reader {
  readonly noTexts = new WeakMap<WrittenMap, ReadonlyMap<string, string>>();
  error: YamlError | undefined;
  endsOpen = false;
  readonly #text: string;
  readonly #anchors = new Map<string, Anchored>();
  #size = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(node: unknown): Written {
    if (isAlias(node)) return this.#alias(node.source);
    if (!isNode(node)) return "";
    const before = this.#size;
    this.#size += 1;
    const written = this.#real(node);
    const anchor = isScalar(node) || isMap(node) || isSeq(node) ? node.anchor : undefined;
    const size = this.#size - before;
    if (anchor !== undefined) this.#anchors.set(anchor, { written, size, noText: noTextIn(node) });
    return written;
  }

  #real(node: Node): Written {
    if (isMap(node)) return this.#map(node);
    if (isSeq(node)) return node.items.map((each) => this.read(each));
    if (!isScalar(node)) return "";
    const value = scalarText(node);
    // the package adds the line end that such a text does not have, and Kubernetes does not
    if (!isOpenBlock(node, this.#text)) return value;
    this.endsOpen = true;
    const lastLine = this.#text.slice(this.#text.lastIndexOf("\n") + 1);
    // spaces that only indent the last line are none of the value
    const isAdded = lastLine.trim() !== "" || /(?:^|\n)[ \t]+\n$/.test(value);
    return isAdded ? value.replace(/\n$/, "") : value;
  }

  #alias(name: string): Written {
    const found = this.#anchors.get(name);
    this.#size += found?.size ?? 0;
    if (found !== undefined && this.#size <= MOST_VALUES) return found.written;
    const message =
      found === undefined
        ? `*${name} stands for nothing: there is no &${name} before it`
        : `with what aliases such as *${name} stand for, it has over ${MOST_VALUES} values`;
    this.error ??= { line: 1, message, isReadable: false };
    return "";
  }

  #map(node: YAMLMap): WrittenMap {
    const entries = new Map<string, Written>();
    const noTexts = new Map<string, string>();
    const set = (key: string, value: Written, noText: string | undefined): void => {
      entries.set(key, value);
      if (noText === undefined) noTexts.delete(key);
      else noTexts.set(key, noText);
    };
    for (const { key, value } of node.items) {
      if (isScalar(key) && typeof key.value === "symbol")
        for (const source of this.#merged(value))
          for (const [name, each] of Object.entries(source))
            set(name, each, this.noTexts.get(source)?.get(name));
      else {
        const name = this.read(key);
        const written = this.read(value);
        set(typeof name === "string" ? name : JSON.stringify(name), written, this.#noText(value));
      }
    }
    const map = Object.fromEntries(entries);
    if (noTexts.size > 0) this.noTexts.set(map, noTexts);
    return map;
  }

  /** The maps of a `<<`, the one that counts last. */
  #merged(value: unknown): readonly WrittenMap[] {
    const written = this.read(value);
    const all = Array.isArray(written) ? (written as readonly Written[]).toReversed() : [written];
    return all.filter(
      (each): each is WrittenMap => typeof each === "object" && !Array.isArray(each),
    );
  }

  #noText(value: unknown): string | undefined {
    return isAlias(value) ? this.#anchors.get(value.source)?.noText : noTextIn(value);
  }
}

const noTextIn = (node: unknown): string | undefined =>
  isScalar(node) && node.format !== undefined ? (node.source ?? "") : undefined;

/**
 * Whether a scalar is a block that ends with the text, without the line end that belongs to its
 * value elsewhere.
 */
export const isOpenBlock = ({ type, range }: Scalar, text: string): boolean =>
  (type === Scalar.BLOCK_LITERAL || type === Scalar.BLOCK_FOLDED) &&
  range?.[1] === text.length &&
  !text.endsWith("\n") &&
  !/^.\d?-/.test(text.slice(range[0]));

const scalarText = ({ value, source }: Scalar): string =>
  typeof value === "string" ? value : (source ?? "");
