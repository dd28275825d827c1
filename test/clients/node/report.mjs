/** What every client program does around its driver: keep time, count, and say what failed. */
import { existsSync, readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

const { env } = process;

/** With a user and a password that the server does not know. */
export const url = env.DATABASE_URL;
/** PEM, for who connects without the proxy. */
export const authorities = env.PGSSLROOTCERT && readFileSync(env.PGSSLROOTCERT, "utf8");
export const workers = Number(env.WORKERS);
/** The maximum lifetime of a pooled connection, in seconds; 0: none. */
export const lifetimeSeconds = Number(env.LIFETIME_SECONDS);

const shortest = Number(env.MIN_PAUSE_SECONDS);
const longest = Number(env.MAX_PAUSE_SECONDS);
let statements = 0;
const users = new Set();

const goesOn = () => !existsSync(env.END_FILE);

function did(user) {
  if (statements === 0) console.log("ready");
  statements += 1;
  if (!users.has(user)) console.log(`user ${user}`);
  users.add(user);
}

const wordsOf = (error) => {
  const { name, code = "", message } = error.cause ?? error;
  return `${name} ${code} ${message}`.replaceAll("\n", " ");
};

async function worker(work) {
  while (goesOn()) {
    try {
      did(await work());
    } catch (error) {
      console.log(`failed ${wordsOf(error)}`);
    }
    await setTimeout((shortest + Math.random() * (longest - shortest)) * 1_000);
  }
}

/** Repeat `work` until the end. It answers with the user, or throws. */
export async function run(work) {
  await Promise.all(Array.from({ length: workers }, () => worker(work)));
  console.log(`done ${statements} ${[...users].join(",")}`);
}
