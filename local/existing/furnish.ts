import { readFileSync } from "node:fs";
import pg from "pg";
import type { EmbeddedPostgres } from "../postgres/postgres.ts";

/** What an existing server must have. */
export interface Furniture {
  /** The first database exists already. */
  readonly databases: readonly string[];
  /** Owner of the tables; the administrator is a member. */
  readonly owner: string;
  /** Logins that nobody else creates, with their passwords. */
  readonly users: ReadonlyMap<string, string>;
  /** Database to SQL files, which run in it as the owner. */
  readonly schemas: ReadonlyMap<string, readonly string[]>;
}

/**
 * Create the roles, databases and logins that a configuration expects on a server.
 *
 * @throws Error with the file that PostgreSQL refuses, and the reason.
 */
export async function furnish(server: EmbeddedPostgres, furniture: Furniture): Promise<void> {
  const { databases, owner, users, schemas } = furniture;
  const [name, master] = [pg.escapeIdentifier(owner), pg.escapeIdentifier(server.masterUsername)];
  await asSuperuser(server, "postgres", async (client) => {
    await client.query(`create role ${name} nologin`);
    await client.query(`grant ${name} to ${master} with admin option`);
    for (const database of databases.slice(1))
      await client.query(`create database ${pg.escapeIdentifier(database)} owner ${master}`);
  });
  for (const database of databases)
    await asSuperuser(server, database, async (client) => {
      await client.query(`grant create on database ${pg.escapeIdentifier(database)} to ${name}`);
      await client.query(`grant usage, create on schema public to ${name}`);
      for (const file of schemas.get(database) ?? []) await runFile(client, owner, file);
    });
  await asSuperuser(server, "postgres", async (client) => {
    for (const [user, password] of users) await makeUser(client, { user, password, master });
  });
}

async function asSuperuser(
  server: EmbeddedPostgres,
  database: string,
  task: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(server.superuser(database));
  await client.connect();
  try {
    await task(client);
  } finally {
    await client.end();
  }
}

/** Run a file as the owner, unless the file itself resets the role. */
async function runFile(client: pg.Client, owner: string, file: string): Promise<void> {
  const text = readSql(file);
  await client.query(`set role ${pg.escapeIdentifier(owner)}`);
  try {
    await client.query(text);
  } catch (error) {
    const { message, position } = error as { message: string; position?: string };
    const line = position && text.slice(0, Number(position)).split("\n").length;
    throw new Error(`${file}${line ? `:${line}` : ""} failed: ${message}`, { cause: error });
  }
  await client.query("reset all");
  await client.query("reset role");
}

/** Leaves out the lines that pg_dump writes for psql only. */
const FOR_PSQL = /^\\(?:un)?restrict\b.*$/gm;

/** @throws Error if the file does not exist or has a command of psql. */
function readSql(file: string): string {
  const text = readFileSync(file, "utf8").replace(FOR_PSQL, "");
  const at = text.split("\n").findIndex((line) => line.startsWith("\\"));
  if (at < 0) return text;
  throw new Error(
    `${file}:${at + 1} has a command of psql; write SQL alone, e.g. with pg_dump --schema-only`,
  );
}

interface NewUser {
  readonly user: string;
  readonly password: string;
  /** Quoted. */
  readonly master: string;
}

/** A file may have created the role already, with grants. */
async function makeUser(client: pg.Client, { user, password, master }: NewUser): Promise<void> {
  const name = pg.escapeIdentifier(user);
  const { rowCount } = await client.query("select from pg_roles where rolname = $1", [user]);
  const verb = rowCount === 0 ? "create" : "alter";
  await client.query(`${verb} role ${name} login password ${pg.escapeLiteral(password)}`);
  await client.query(`grant ${name} to ${master} with admin option`);
}
