/** Characters that begin a line, reverse the text beside them, or are not seen. */
export const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** As JSON and JavaScript write a character: `\u202e`. */
const escaped = (text: string): string =>
  Array.from(
    { length: text.length },
    (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`,
  ).join("");

/** A text on one line, as it is seen: others may choose the names in it. */
export const visible = (text: string): string => text.replace(UNSEEN, escaped);

/** The same of each line of a text. */
export const visibleLines = (text: string): string => text.split("\n").map(visible).join("\n");
