/** A part of a template of Mayfly's. */
export type TemplatePart =
  | { readonly kind: "text"; readonly text: string }
  /** What stands between the braces, e.g. `username`. */
  | { readonly kind: "expression"; readonly expression: string };

/** Braces and backslashes beside an expression would change it; a space that `~` takes parts them. */
const JOINS_BEFORE = /[{\\]$/;
const JOINS_AFTER = /^\}/;
/** Two braces in a text would open an expression. This comment takes the spaces around it along. */
const BETWEEN_BRACES = "{ {{~!~}} ";

/**
 * A Handlebars template whose texts come out as they are, to the byte.
 *
 * @param parts no two texts side by side, and no zero byte.
 */
export function handlebarsText(parts: readonly TemplatePart[]): string {
  return parts
    .map((part, at) => {
      const before = parts[at - 1];
      const after = parts[at + 1];
      if (part.kind === "text") {
        const text = part.text.replaceAll(/\{(?=\{)/g, BETWEEN_BRACES);
        const isAfter = before !== undefined && JOINS_AFTER.test(part.text);
        const isBefore = after !== undefined && JOINS_BEFORE.test(part.text);
        return `${isAfter ? " " : ""}${text}${isBefore ? " " : ""}`;
      }
      const left = before?.kind === "text" && JOINS_BEFORE.test(before.text) ? "~" : "";
      const right = after?.kind === "text" && JOINS_AFTER.test(after.text) ? "~" : "";
      return `{{${left}${part.expression}${right}}}`;
    })
    .join("");
}
