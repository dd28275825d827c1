import type pg from "pg";
import { connect, type Login } from "../../lambda/postgres/connection/login.ts";
import { TEST_LIMITS } from "./provisioned.ts";

/**
 * Run a script of `mayfly bootstrap` as psql does: the meta-commands that it has, and no others.
 *
 * @returns the statements that `\gexec` found to run.
 */
export async function runScript(login: Login, script: string): Promise<readonly string[]> {
  const executed: string[] = [];
  let client = await connectAs(login);
  let buffer: string[] = [];
  const send = async (text: string): Promise<void> => {
    if (text.trim() !== "") await client.query(text);
  };
  const run: Readonly<Record<string, (argument: string) => Promise<void>>> = {
    set: async () => {},
    connect: async (argument) => {
      await send(taken());
      await client.end();
      client = await connectAs({ ...login, database: databaseIn(argument) });
    },
    gexec: async () => {
      // what was not sent yet ends with the query, in a paragraph of its own
      const text = taken();
      const start = text.trimEnd().lastIndexOf("\n\n") + 1;
      await send(text.slice(0, start));
      const { rows } = await client.query({ text: text.slice(start), rowMode: "array" });
      for (const statement of rows.flat().filter((each) => each !== null)) {
        executed.push(String(statement));
        await client.query(String(statement));
      }
    },
  };
  const taken = (): string => {
    const text = buffer.join("\n");
    buffer = [];
    return text;
  };
  try {
    for (const line of script.split("\n")) {
      const [, command = "", argument = ""] = /^\\(\w+) ?(.*)$/.exec(line) ?? [];
      if (command === "") buffer.push(line);
      else if (run[command] === undefined) throw new Error(`psql has no \\${command} here`);
      else await run[command](argument);
    }
    await send(taken());
    return executed;
  } finally {
    await client.end();
  }
}

/** As psql logs in: with none of our own settings, and telling of what merely has no effect. */
async function connectAs(login: Login): Promise<pg.Client> {
  const client = await connect(login, TEST_LIMITS);
  await client.query("reset search_path");
  return client;
}

/** The name in `\connect`'s argument: bare, or in a connection string between double quotes. */
function databaseIn(argument: string): string {
  const [, quoted] = /^-reuse-previous=on "dbname='(.*)'"$/.exec(argument) ?? [];
  if (quoted === undefined) return argument;
  return quoted.replaceAll('""', '"').replaceAll(/\\(.)/g, "$1");
}
