declare const trusted: unique symbol;

/** SQL text in which every hole was filled by {@link ident}, {@link literal} or {@link integer}. */
export type Sql = string & { readonly [trusted]: true };

const MAX_IDENTIFIER_BYTES = 63;

/** Around the bodies of our DO blocks. */
const TAG = "$mf$";

/**
 * Compose a statement. Utility statements (`CREATE ROLE`, `GRANT`) take no bind parameters, so
 * quoting is all there is; the type system refuses a bare string in a hole.
 */
export function sql(text: TemplateStringsArray, ...holes: readonly Sql[]): Sql {
  return text.reduce((out, part, i) => out + (holes[i - 1] ?? "") + part) as Sql;
}

/** Join pieces with `between`. Empty for an empty list. */
export const joined = (pieces: readonly Sql[], between: Sql): Sql => pieces.join(between) as Sql;

/**
 * Quote one identifier (PostgreSQL 4.1.1).
 *
 * @throws RangeError for an empty name, a NUL, or more than 63 bytes: PostgreSQL would otherwise
 *   truncate the name with no more than a NOTICE, and two logins could become one.
 */
export function ident(name: string): Sql {
  const bytes = Buffer.byteLength(name, "utf8");
  if (bytes === 0 || bytes > MAX_IDENTIFIER_BYTES || name.includes("\0")) {
    throw new RangeError(
      `identifier must be 1 to ${MAX_IDENTIFIER_BYTES} bytes with no NUL, got ${bytes} bytes`,
    );
  }
  return `"${name.replaceAll('"', '""')}"` as Sql;
}

/**
 * Quote one string literal. Safe whatever `standard_conforming_strings` is set to, and inside the
 * `$mf$` bodies of our DO blocks.
 *
 * @throws RangeError for a NUL, which PostgreSQL text cannot hold.
 */
export function literal(value: string): Sql {
  if (value.includes("\0")) throw new RangeError("a string literal cannot contain NUL");
  const doubled = value.replaceAll("'", "''");
  if (!value.includes("\\") && !value.includes(TAG)) return `'${doubled}'` as Sql;
  const escaped = doubled.replaceAll("\\", "\\\\").replaceAll(TAG, "\\044mf\\044");
  return ` E'${escaped}'` as Sql;
}

/** A whole number as it is. @throws RangeError for anything that is not a safe integer. */
export function integer(value: number): Sql {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is not a safe integer`);
  return String(value) as Sql;
}
