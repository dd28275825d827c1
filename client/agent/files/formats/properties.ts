import type { Login } from "../../../keeper/keeper.ts";
import { jdbcUrlOf } from "./addresses.ts";

const NAMED: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\f": "\\f",
};

const unicodeEscape = (unit: string): string =>
  `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** A value of a `.properties` file, which Java reads as Latin-1. See `java.util.Properties.load`. */
export const propertyValue = (value: string): string =>
  value
    .replaceAll(/[\\\n\r\t\f]/g, (each) => NAMED[each] ?? each)
    // the spaces before a value are not part of it
    .replace(/^ /, "\\ ")
    .replaceAll(/[^ -~]/g, unicodeEscape);

/** For JDBC (`url`, `user`, `password`), and for Spring under the names of its own. */
export function jdbcProperties(login: Login): string {
  const [url, user, password] = [jdbcUrlOf(login), login.username, login.password.reveal()];
  const properties = {
    url,
    user,
    password,
    "spring.datasource.url": url,
    "spring.datasource.username": user,
    "spring.datasource.password": password,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${propertyValue(value)}\n`)
    .join("");
}
