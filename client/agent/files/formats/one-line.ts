import { FileError } from "../file-error.ts";

/** Of a file whose values end with their line. */
const FORBIDDEN = /(?!\t)\p{Cc}/u;

/**
 * A value that stands in one line.
 *
 * @throws FileError if it has a line break or another control character but a tab in it
 */
export function oneLine(format: string, field: string, value: string): string {
  if (!FORBIDDEN.test(value)) return value;
  throw new FileError(
    `the ${field} has a line break or control character, which the format ${format} cannot hold; use json, or a template`,
  );
}
