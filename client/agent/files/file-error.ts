import { clipped } from "../../keeper/errors.ts";

/** The longest message: it must fit into a line of a log. Unit: characters. */
const LONGEST = 160;

/** A file cannot be made or written: what failed, the value, the remedy. */
export class FileError extends Error {
  override readonly name = "FileError";

  /** @param message at most 160 characters are kept. */
  constructor(message: string, options?: ErrorOptions) {
    super(clipped(message, LONGEST), options);
  }
}
