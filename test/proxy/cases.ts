import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { errorIn, RawClient, typesOf } from "../support/proxied.ts";
import type { ProxyProcess } from "./proxy-process.ts";
import { check, megabytes, type Stage } from "./stage.ts";

/** One promise: does it, checks it, and says what was seen. */
export interface Case {
  readonly name: string;
  readonly run: (stage: Stage) => Promise<string>;
}

const portOf = async (proxy: ProxyProcess): Promise<number> => (await proxy.report()).port ?? 0;

/** @throws Error if there is no session. */
async function logIn(port: number): Promise<RawClient> {
  const client = RawClient.connect(port);
  const error = errorIn(await client.begin());
  if (error !== "no error" || client.isClosed) throw new Error(`no session: ${error}`);
  return client;
}

/** Open and close so many sessions, some at once. */
async function connectAndClose(port: number, count: number, atOnce = 16): Promise<void> {
  let left = count;
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const client = await logIn(port);
      client.say("X");
      await client.closed();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const settled = async (proxy: ProxyProcess) => {
  await eventually(async () => (await proxy.report()).sessions === 0);
  await wait(2_000);
  return proxy.report();
};

const LINES = 1_000_000;
/** 100 bytes a line with its end. */
const lineOf = (line: number): string => `${String(line).padStart(9, "0")}\t${"x".repeat(89)}\n`;

/** COPY so many lines in. @returns the digest of what was sent. */
async function copyIn(client: RawClient): Promise<string> {
  const digest = createHash("sha256");
  client.query("copy lines from stdin");
  await client.until("G");
  for (let line = 0; line < LINES; line += 1_000) {
    const block = Array.from({ length: 1_000 }, (_, index) => lineOf(line + index)).join("");
    digest.update(block);
    client.say("d", block);
    if (client.socket.writableNeedDrain)
      await new Promise<void>((resolve) => client.socket.once("drain", resolve));
  }
  client.say("c");
  check(errorIn(await client.until("Z")) === "no error", "COPY in succeeds");
  return digest.digest("hex");
}

/** COPY all lines out. @returns the digest of what came. */
async function copyOut(client: RawClient): Promise<string> {
  client.query("copy lines to stdout");
  const digest = createHash("sha256");
  for (;;) {
    const [message] = await client.next();
    if (message === undefined || typesOf([message]) === "Z") return digest.digest("hex");
    if (typesOf([message]) === "d") digest.update(message.body);
  }
}

/** So many rows of a hundred bytes. */
const lines = (count: number): string =>
  `copy (select repeat('x', 99) from generate_series(1, ${count})) to stdout`;

export const CASES: readonly Case[] = [
  {
    name: "100 MB of COPY, in and out, are the same bytes",
    run: async (stage) => {
      await using proxy = await stage.start();
      const client = await logIn(await portOf(proxy));
      client.query("create unlogged table lines (id text, filler text)");
      await client.until("Z");
      const sent = await copyIn(client);
      const came = await copyOut(client);
      const { rss } = await proxy.report();
      check(sent === came, `digests ${sent} and ${came} are one`);
      client.socket.destroy();
      return `${megabytes(LINES * 100)}, ${megabytes(rss)} of memory after`;
    },
  },
  {
    name: "a client that stops reading for 30 seconds costs less than 5 MB",
    run: async (stage) => {
      await using proxy = await stage.start();
      const client = await logIn(await portOf(proxy));
      // a client that reads has made the heap what it is with any
      client.query(lines(300_000));
      await client.until("Z");
      const before = await proxy.report();
      client.query(lines(3_000_000));
      await client.until("H");
      client.socket.pause();
      await wait(30_000);
      const after = await proxy.report();
      client.socket.destroy();
      const more = after.rss - before.rss;
      check(more < 5e6, `${megabytes(more)} are less than 5 MB`);
      return `${megabytes(more)} more`;
    },
  },
  {
    name: "idle with one lease, and after 10,000 connections",
    run: async (stage) => {
      await using proxy = await stage.start();
      const port = await portOf(proxy);
      await wait(1_000);
      const idle = await proxy.report();
      await connectAndClose(port, 2_000);
      const early = await settled(proxy);
      await connectAndClose(port, 8_000);
      const late = await settled(proxy);
      const seen = [idle, early, late].map(({ rss }) => megabytes(rss)).join(", ");
      check(idle.rss <= 80e6, `idle: ${seen}`);
      check(late.rss <= 110e6, `after 10,000: ${seen}`);
      check(late.rss - early.rss <= 5e6, `flat after 2,000: ${seen}`);
      check(late.descriptors <= idle.descriptors + 1, `${late.descriptors} descriptors are left`);
      return `${seen}; descriptors ${idle.descriptors}, then ${late.descriptors}`;
    },
  },
  {
    name: "1,000 open sessions",
    run: async (stage) => {
      await using proxy = await stage.start();
      const port = await portOf(proxy);
      const clients: RawClient[] = [];
      for (let opened = 0; opened < 1_000; opened += 20)
        clients.push(...(await Promise.all(Array.from({ length: 20 }, () => logIn(port)))));
      const open = await proxy.report();
      check(open.sessions === 1_000, `${open.sessions} sessions are 1,000`);
      for (const { socket } of clients) socket.destroy();
      const after = await settled(proxy);
      return `${megabytes(open.rss)} and ${open.descriptors} descriptors, then ${megabytes(after.rss)} and ${after.descriptors}`;
    },
  },
  {
    name: "with 64 descriptors further clients read 53300, and the others go on",
    run: async (stage) => {
      await using proxy = await stage.start({ descriptors: 64 });
      const port = await portOf(proxy);
      const clients: RawClient[] = [];
      let refusal = "";
      while (refusal === "" && clients.length < 64) {
        const client = RawClient.connect(port);
        const error = errorIn(await client.begin());
        if (error === "no error" && !client.isClosed) clients.push(client);
        else refusal = error;
      }
      check(refusal.startsWith("FATAL 53300"), `"${refusal}" is FATAL 53300`);
      for (const client of clients) {
        client.query("select 1");
        check(typesOf(await client.until("Z")) === "TDCZ", "an open session goes on");
      }
      for (const { socket } of clients) socket.destroy();
      return `${clients.length} clients, then: ${refusal}`;
    },
  },
  {
    name: "SIGUSR1 opens no inspector",
    run: async (stage) => {
      await using proxy = await stage.start();
      process.kill(proxy.pid, "SIGUSR1");
      await wait(300);
      const isOpen = await fetch("http://127.0.0.1:9229/json").then(
        () => true,
        () => false,
      );
      check(!isOpen, "port 9229 is closed");
      const client = await logIn(await portOf(proxy));
      client.socket.destroy();
      return "port 9229 closed, the proxy goes on";
    },
  },
];
