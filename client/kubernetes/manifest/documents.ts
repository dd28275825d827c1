/** One document of a stream, with the line that begins it. */
export interface TextDocument {
  readonly text: string;
  /** The line of the stream where the text begins. Counted from 1. */
  readonly line: number;
  /** Counted from 1, without those that are empty. */
  readonly number: number;
  /** It has comments and marks alone. */
  readonly isEmpty: boolean;
}

/** Lines that begin with these two marks belong to no value: YAML forbids that. */
const BOUNDARY = /^(?=---(?:[ \t\r\n]|$))|(?<=^\.\.\.[ \t]*\r?\n)/gm;

/** Split a stream of YAML documents. Their texts, one after the other, are the stream. */
export function documentsIn(stream: string): readonly TextDocument[] {
  let line = 1;
  let number = 0;
  return stream.split(BOUNDARY).map((text) => {
    const isEmpty = !/^(?!---[ \t]*(?:#.*)?$|\.\.\.|%|[ \t]*(?:#.*)?$).*\S/m.test(
      text.replaceAll("\r", ""),
    );
    if (!isEmpty) number += 1;
    const document = { text, line, number, isEmpty };
    line += text.split("\n").length - 1;
    return document;
  });
}
