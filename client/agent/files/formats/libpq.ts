import type { Login } from "../../../keeper/keeper.ts";
import { FileError } from "../file-error.ts";
import { sslmodeOf } from "./addresses.ts";
import { oneLine } from "./one-line.ts";

/** A line of libpq's password file. https://www.postgresql.org/docs/current/libpq-pgpass.html */
export function pgpassLine({ host, port, dbname, username, password }: Login): string {
  const fields = [
    ["host", host],
    ["port", String(port)],
    ["dbname", dbname],
    ["username", username],
    ["password", password.reveal()],
  ] as const;
  const values = fields.map(([field, value]) =>
    oneLine("pgpass", field, value).replaceAll(/[\\:]/g, "\\$&"),
  );
  return `${values.join(":")}\n`;
}

/** libpq reads a line of a service file into so many bytes, its end included. */
const LONGEST_LINE = 1_023;

/**
 * A section of libpq's service file, with the password. Values cannot be quoted there: they end
 * where the line does, without spaces at its end.
 * https://www.postgresql.org/docs/current/libpq-pgservice.html
 */
export function serviceSection(name: string, login: Login): string {
  if (/[\]\p{Cc}]/u.test(name))
    throw new FileError(
      `${JSON.stringify(name)} cannot be the name of a service; give the login one without ]`,
    );
  const { host, port, dbname, username, password } = login;
  const fields = [
    ["host", host],
    ["port", String(port)],
    ["dbname", dbname],
    ["user", username],
    ["password", password.reveal()],
    ["sslmode", sslmodeOf(login)],
  ] as const;
  const lines = fields.map(([keyword, value]) => lineOf(keyword, value));
  return `[${name}]\n${lines.join("")}`;
}

function lineOf(keyword: string, value: string): string {
  const line = `${keyword}=${oneLine("pg_service", keyword, value)}\n`;
  if (/\s$/.test(value))
    throw new FileError(
      `the ${keyword} ends with a space, which the format pg_service cannot hold; use pgpass, or json`,
    );
  if (Buffer.byteLength(line) >= LONGEST_LINE)
    throw new FileError(
      `the ${keyword} is longer than libpq reads from a service file (${LONGEST_LINE} bytes a line); use json`,
    );
  return line;
}

/** A value in a connection string of `keyword='value'` pairs. */
export const conninfoValue = (value: string): string => `'${value.replaceAll(/['\\]/g, "\\$&")}'`;
