/** A value, or why the text has none. */
export interface ParsedJson {
  readonly value?: unknown;
  readonly fault?: string;
}

/** The value of a text, if it is JSON. */
export function parsedJson(text: string): ParsedJson {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}
