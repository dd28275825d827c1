import { setTimeout as wait } from "node:timers/promises";
import pg from "pg";
import type { AgentProcess } from "./agent-process.ts";
import { type Case, check, LEASE } from "./stage.ts";

async function sessionOf(agent: AgentProcess, login: string): Promise<pg.Client> {
  const port = await agent.portOf("the proxy", login);
  const client = new pg.Client({ host: "127.0.0.1", port, ssl: false });
  await client.connect();
  return client;
}

const userOf = async (session: pg.Client): Promise<string> => {
  const { rows } = await session.query<{ name: string }>("select current_user as name");
  return rows[0]?.name ?? "";
};

const GRACE = 3;

const atTerm: Case = {
  name: "SIGTERM: sessions have the grace, then end with 57P01; a shared key's lease stays",
  run: async ({ lasting, folder }) => {
    const proxy = { port: 0, private: true };
    const agent = lasting.start(folder(), {
      leases: { own: { ...LEASE, proxy }, shared: { ...LEASE, key: "web", shared: true, proxy } },
      grace: `${GRACE}s`,
    });
    const [own, shared] = [await sessionOf(agent, "own"), await sessionOf(agent, "shared")];
    const [ownUser, sharedUser] = [await userOf(own), await userOf(shared)];
    const port = await agent.portOf("the proxy", "own");
    const over = new Promise<{ code?: string; at: number }>((resolve) => {
      own.on("error", ({ code }: Error & { code?: string }) =>
        resolve({ at: performance.now(), ...(code !== undefined && { code }) }),
      );
    });
    shared.on("error", () => {});
    // a session in a transaction is not ended while it may go on
    await own.query("begin");
    const from = performance.now();
    agent.signal("SIGTERM");
    await wait(500);
    const late = new pg.Client({ host: "127.0.0.1", port, ssl: false });
    const refused = await late.connect().then(
      () => "let in",
      ({ code, message }: Error & { code?: string }) => code ?? message,
    );
    check(refused !== "let in", "nobody is let in any more");
    check((await userOf(own)) === ownUser, "the session goes on");
    const { code, at } = await over;
    const lasted = (at - from) / 1_000;
    check(code === "57P01", `it ends with 57P01, not ${code}`);
    check(lasted >= GRACE - 0.1, `it ends after ${GRACE} s, not ${lasted.toFixed(1)}`);
    check((await agent.ended) === 0, "the agent ends with 0");
    check(!(await lasting.isUser(ownUser)), "its lease is revoked");
    check(await lasting.isUser(sharedUser), "the shared one is not");
    return `ended after ${lasted.toFixed(1)} s with ${code}; a new client got ${refused}`;
  },
};

export const ENDS: readonly Case[] = [atTerm];
