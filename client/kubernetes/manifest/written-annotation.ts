import { isMap, isScalar, Scalar } from "yaml";

/** A place in a file, counted from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export const positionWords = ({ line, column }: Position): string =>
  `line ${line}, column ${column}`;

/** An annotation as a manifest has it. */
export interface WrittenAnnotation {
  readonly name: string;
  readonly value: string;
  /** Where its name stands. */
  readonly position: Position;
  /** Where a character of its value stands. Unit: UTF-16 code units. */
  readonly at: (offset: number) => Position;
}

/** A part of a file that was parsed by itself. */
export interface ParsedPart {
  readonly text: string;
  /** The line of the file where it begins. */
  readonly line: number;
}

/**
 * Annotations with their places in the file.
 *
 * @param map the node that has them. What comes from an anchor or a merge stands at its beginning.
 */
export function writtenAnnotations(
  map: unknown,
  values: Readonly<Record<string, string>>,
  part: ParsedPart,
): readonly WrittenAnnotation[] {
  const pairs = isMap(map) ? map.items : [];
  const start = isMap(map) ? (map.range?.[0] ?? 0) : 0;
  return Object.entries(values).map(([name, value]) => {
    const pair = pairs.find(({ key }) => isScalar(key) && key.value === name);
    const position = positionOf(part, (isScalar(pair?.key) ? pair.key.range?.[0] : start) ?? start);
    const node = isScalar(pair?.value) ? pair.value : undefined;
    return {
      name,
      value,
      position,
      at: (offset) => {
        const found = node && sourceOffset(part.text, node, value.slice(0, offset));
        return found === undefined ? position : positionOf(part, found);
      },
    };
  });
}

function positionOf({ text, line }: ParsedPart, offset: number): Position {
  const lines = text.slice(0, offset).split("\n");
  return { line: line + lines.length - 1, column: (lines.at(-1)?.length ?? 0) + 1 };
}

/** Escapes of each style: a match is one character of the value, or a space that is none. */
const CHARACTERS: Readonly<Record<string, RegExp>> = {
  [Scalar.QUOTE_DOUBLE]: /\\(?:x..|u.{4}|U.{8}|[\s\S])|[\s\S]/g,
  [Scalar.QUOTE_SINGLE]: /''|[\s\S]/g,
};
const UNESCAPED = /[\s\S]/g;
/** A space, or an escape that stands for one. */
const SPACE = /^(?:\s|\\[\snrtvf_LP])/;
const CODE = /^\\[xuU]([\dA-Fa-f]+)$/;

/** How much of a value a piece of its source is, without spaces. Unit: UTF-16 code units. */
function lengthOf(piece: string): number {
  const [, code] = CODE.exec(piece) ?? [];
  if (code === undefined) return SPACE.test(piece) ? 0 : 1;
  return String.fromCodePoint(Number.parseInt(code, 16)).trim().length;
}

/**
 * Where the character after these stands in the source. Folds and indents change nothing but
 * spaces, so only what is none is counted.
 */
function sourceOffset(text: string, node: Scalar, before: string): number | undefined {
  const [start, end] = node.range ?? [];
  if (start === undefined || end === undefined) return undefined;
  const isBlock = node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED;
  const style = CHARACTERS[node.type ?? ""];
  const head = isBlock ? text.indexOf("\n", start) + 1 : start + (style === undefined ? 0 : 1);
  let left = before.replaceAll(/\s/g, "").length;
  for (const match of text.slice(head, end).matchAll(style ?? UNESCAPED)) {
    const length = lengthOf(match[0]);
    if (left < length) return head + match.index;
    left -= length;
  }
  return undefined;
}
