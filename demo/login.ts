import pg from "pg";
import type { Credential } from "../core/leases/credential.ts";
import type { DemoTarget } from "./target.ts";

/** Connect as the lease. @throws what PostgreSQL refuses with. */
export async function logIn({ ca }: DemoTarget, credential: Credential): Promise<pg.Client> {
  const client = new pg.Client({
    host: credential.host,
    port: credential.port,
    database: credential.dbname,
    user: credential.username,
    password: credential.password,
    ssl: { ca },
  });
  client.on("error", () => {}); // its end is part of the story
  await client.connect();
  return client;
}

/** SQLSTATE of an attempt that fails, or its message when it has none; `undefined` for a success. */
export const sqlStateOf = (attempt: Promise<unknown>): Promise<string | undefined> =>
  attempt.then(
    () => undefined,
    (error: { code?: string; message: string }) => error.code ?? error.message,
  );
