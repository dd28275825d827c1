import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import pg from "pg";

// An application that knows nothing of Mayfly: PGHOST and its like name the database, as anywhere.

const CONNECTIONS = 4;
const PAUSE_MS = 40;

const pool = new pg.Pool({ max: CONNECTIONS, maxLifetimeSeconds: 3 });
pool.on("error", () => {}); // the pool replaces a connection that ends while nobody uses it

const users = new Set<string>();
const failed: string[] = [];
let queries = 0;
let isOver = false;

async function query(): Promise<void> {
  try {
    const { rows } = await pool.query("select current_user, count(*) from public.orders");
    users.add(rows[0].current_user);
    queries += 1;
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    failed.push(code ?? message);
  }
}

async function work(): Promise<void> {
  while (!isOver) {
    await query();
    await setTimeout(PAUSE_MS);
  }
}

const working = Promise.all(Array.from({ length: CONNECTIONS }, work));
// a line on stdin asks for the counts, and the end of stdin ends the work
for await (const _ of createInterface({ input: process.stdin }))
  console.log(JSON.stringify({ queries, failed, users: users.size }));
isOver = true;
await working;
await pool.end();
