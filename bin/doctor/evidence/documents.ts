import { Exit, Failure } from "../../terminal/exit.ts";

/** A value of JSON or YAML whose fields are looked at one by one. */
export type Fields = Readonly<Record<string, unknown>>;

export const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null ? (value as Fields) : {};
export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;
/** One text, or a list of them. */
export const textsOf = (value: unknown): readonly string[] =>
  (Array.isArray(value) ? value : [value]).filter((each) => typeof each === "string");

/**
 * The documents of a text: one of JSON, or several of YAML.
 *
 * @param what it is called in errors.
 * @throws Failure
 */
export async function documentsIn(text: string, what: string): Promise<readonly unknown[]> {
  try {
    return [JSON.parse(text)];
  } catch {
    // YAML, then
  }
  const { parseAllDocuments } = await import("yaml");
  const documents = [...parseAllDocuments(text)];
  const [error] = documents.flatMap(({ errors }) => errors);
  if (error !== undefined)
    throw new Failure(
      Exit.usage,
      `--from: ${what} is neither JSON nor YAML (line ${error.linePos?.[0].line ?? "?"}); save what kubectl or aws printed, with -o json`,
    );
  try {
    return documents.map((each): unknown => each.toJS()).filter((each) => each !== null);
  } catch {
    throw new Failure(
      Exit.usage,
      `--from: ${what} has YAML aliases that cannot be resolved, or that stand for too much; save what kubectl printed, with -o json`,
    );
  }
}
