import { conninfoValue } from "./formats/libpq.ts";
import { propertyValue } from "./formats/properties.ts";

const XML: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** What a template quotes values with, each for the language around the value. */
export const HELPERS: Readonly<Record<string, (value: string) => string>> = {
  /** A JSON string, with its quotes. YAML reads it too. */
  json: (value) => JSON.stringify(value),
  /** A part of a URL. */
  url: (value) => encodeURIComponent(value),
  /** A word of a shell, with its quotes. */
  shell: (value) => `'${value.replaceAll("'", "'\\''")}'`,
  /** A text or attribute of XML. */
  xml: (value) => value.replaceAll(/[&<>"']/g, (each) => XML[each] ?? each),
  /** A value of a `.properties` file. */
  properties: propertyValue,
  /** A value of a libpq connection string, with its quotes. */
  conninfo: conninfoValue,
};
