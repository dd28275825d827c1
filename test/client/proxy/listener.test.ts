import { chmodSync, mkdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { listen } from "../../../client/proxy/listener.ts";
import { tempFolder } from "../../../local/temp-folder.ts";

const toClose: (() => void)[] = [];
afterEach(() => {
  for (const close of toClose.splice(0).reverse()) close();
});

function server(): Server {
  const made = createServer();
  toClose.push(() => made.close());
  return made;
}

function folder(): string {
  const { path, remove } = tempFolder("socket");
  toClose.push(remove);
  return join(path, "s");
}

const refusalOf = (listening: Promise<unknown>): Promise<string> =>
  listening.then(
    () => "",
    (error: Error) => `${error.name}: ${error.message}`,
  );

test("a taken port is told in one sentence", async () => {
  const first = server();
  await listen(first, { port: 0 });
  const { port } = first.address() as { port: number };
  const refusal = await refusalOf(listen(server(), { port }));
  expect(refusal).toBe(
    `TakenError: port ${port} is taken; choose another, or stop the program that listens there`,
  );
});

test("a port is the loopback's alone", async () => {
  const first = server();
  await listen(first, { port: 0 });
  expect(first.address()).toMatchObject({ address: "127.0.0.1" });
});

test("a socket is its owner's from its first moment, and so is its folder", async () => {
  const socketFolder = folder();
  const made = server();
  const modes: number[] = [];
  const umask = process.umask.bind(process);
  process.umask = ((mask?: number) => {
    // whoever sets the umask back has made the socket before
    const path = join(socketFolder, ".s.PGSQL.5432");
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined) modes.push(found.mode & 0o777);
    return mask === undefined ? umask() : umask(mask);
  }) as typeof process.umask;
  try {
    const path = await listen(made, { socketFolder });
    expect(path).toBe(join(socketFolder, ".s.PGSQL.5432"));
  } finally {
    process.umask = umask;
  }
  expect(modes).toEqual([0o600]);
  expect(statSync(socketFolder).mode & 0o777).toBe(0o700);
});

test("the socket of a living program is left alone, that of a dead one replaced", async () => {
  const socketFolder = folder();
  const first = server();
  const path = String(await listen(first, { socketFolder }));
  expect(await refusalOf(listen(server(), { socketFolder }))).toMatch(/^TakenError: another/);
  // as a killed program leaves it: closing removes the socket only where it was made
  renameSync(path, `${path}.kept`);
  first.close();
  renameSync(`${path}.kept`, path);
  expect(await listen(server(), { socketFolder })).toBe(path);
});

test("a file in the socket's place is left alone", async () => {
  const socketFolder = folder();
  mkdirSync(socketFolder, { mode: 0o700 });
  writeFileSync(join(socketFolder, ".s.PGSQL.5432"), "");
  expect(await refusalOf(listen(server(), { socketFolder }))).toMatch(/is no socket; remove it/);
});

test.each([
  ["others may enter", 0o755, /^ListenError: others may enter .* \(mode 755\); chmod it to 700/],
])("a folder that %s is refused", async (_, mode, expected) => {
  const socketFolder = folder();
  mkdirSync(socketFolder);
  chmodSync(socketFolder, mode);
  const refusal = await refusalOf(listen(server(), { socketFolder }));
  expect(refusal).toMatch(expected);
  expect(refusal.length).toBeLessThanOrEqual(160 + "ListenError: ".length);
});

test("a path that is too long for a socket is refused", async () => {
  const refusal = await refusalOf(listen(server(), { socketFolder: `/tmp/${"x".repeat(100)}` }));
  expect(refusal).toMatch(/a socket's path may have 103 bytes, 119 are too many; choose a shorter/);
});
