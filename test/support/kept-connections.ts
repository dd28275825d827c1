import type pg from "pg";
import { connect, type Limits, type Login } from "../../lambda/postgres/connection/login.ts";

/** Much of what tests ask is asked by the superuser, and a connection costs more than most statements. */
const MOST = 2;

interface Kept {
  readonly to: string;
  readonly client: pg.Client;
}

const kept: Kept[] = [];

/** Use a connection that is kept from before, or a new one, and keep it if it is as good as new afterwards. */
export async function withKept<T>(
  login: Login,
  limits: Limits,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const to = `${login.port} ${login.username} ${login.database}`;
  const client = (await usable(take(to))) ?? (await connect(login, limits));
  try {
    return await work(client);
  } finally {
    const isClean = await client.query("discard all").then(
      () => true,
      () => false,
    );
    if (isClean) kept.push({ to, client });
    else await end(client);
    while (kept.length > MOST) await end(kept.shift()?.client);
  }
}

function take(to: string): pg.Client | undefined {
  const found = kept.findLastIndex((each) => each.to === to);
  return kept.splice(found, found === -1 ? 0 : 1)[0]?.client;
}

/** A server may have been stopped, or its sessions ended. */
async function usable(client: pg.Client | undefined): Promise<pg.Client | undefined> {
  return client?.query("select 1").then(
    () => client,
    () => undefined,
  );
}

const end = (client: pg.Client | undefined): Promise<void> | undefined =>
  client?.end().catch(() => {});
