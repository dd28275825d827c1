import type { Login } from "../../../keeper/keeper.ts";
import { sslmodeOf, urlOf } from "./addresses.ts";
import { oneLine } from "./one-line.ts";

/** What no reader of such a file takes for something else, without quotes. */
const PLAIN = /^[\w@%+:,./?=-]+$/;

/**
 * A value in a file of variables. `sh` (`. file`), systemd (`EnvironmentFile=`), `node --env-file`
 * and dotenv read it alike, and Docker's `--env-file` what needs no quotes. Only a value with both
 * `'` and one of `"$\`` or a backslash is for sh and systemd alone: the others have no escapes.
 */
export function quoted(value: string): string {
  if (PLAIN.test(value)) return value;
  if (!value.includes("'")) return `'${value}'`;
  return `"${value.replaceAll(/[\\"$`]/g, "\\$&")}"`;
}

const linesOf = (variables: readonly (readonly [name: string, value: string])[]): string =>
  variables.map(([name, value]) => `${name}=${value}\n`).join("");

/** The variables of libpq, and `DATABASE_URL`. */
export function envFile(login: Login): string {
  const variables = [
    ["PGHOST", login.host],
    ["PGPORT", String(login.port)],
    ["PGDATABASE", login.dbname],
    ["PGUSER", login.username],
    ["PGPASSWORD", login.password.reveal()],
    ["PGSSLMODE", sslmodeOf(login)],
    ["DATABASE_URL", urlOf(login)],
  ] as const;
  return linesOf(
    variables.map(([name, value]) => [name, quoted(oneLine("env", FIELDS[name] ?? "url", value))]),
  );
}

/** What they are called in messages. */
const FIELDS: Readonly<Record<string, string>> = {
  PGHOST: "host",
  PGDATABASE: "dbname",
  PGUSER: "username",
  PGPASSWORD: "password",
};

/** User and password as they are, for programs that split at line breaks and strip the names. */
export const plainLines = (login: Login): string =>
  linesOf([
    ["DB_USERNAME", oneLine("lines", "username", login.username)],
    ["DB_PASSWORD", oneLine("lines", "password", login.password.reveal())],
  ]);
