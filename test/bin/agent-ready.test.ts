import { rmSync, writeFileSync } from "node:fs";
import { createServer, setGlobalProxyFromEnv } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { askReady } from "../../bin/agent/ask-ready.ts";
import { systemPorts } from "../../bin/doctor/system-ports.ts";
import { type Health, startHealth } from "../../client/proxy/health.ts";
import { Secret } from "../../core/secret.ts";
import { milliseconds } from "../../core/time.ts";
import { newFolder } from "../support/file-outlet.ts";
import { mayflyHere } from "../support/mayfly.ts";

const TOKEN = "a-token-of-this-test-alone";
const ARN = "arn:aws:lambda:eu-west-1:111122223333:function:i:app--readonly";
let folder: string;
let tokenFile: string;
let health: Health;
let isReady: boolean;

beforeAll(async () => {
  folder = newFolder();
  tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${TOKEN}\n`);
  health = await startHealth({
    port: 0,
    token: new Secret(TOKEN),
    ready: async () => isReady,
  });
});
beforeEach(() => {
  isReady = true;
});
afterAll(async () => {
  await health[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const configured = (at: object = { port: health.port, tokenFile }): string =>
  JSON.stringify({ leases: { "orders/readonly": { arn: ARN } }, health: at });
const ask = (text: string, ...options: readonly string[]) =>
  mayflyHere(["agent", "--ready", ...options], { MAYFLY_AGENT_CONFIG: text });
const SILENT = { status: 0, out: "", err: "" };

test("the agent that runs is asked by each source of its configuration", async () => {
  expect(await ask(configured())).toEqual(SILENT);
  const file = join(folder, "agent.json");
  writeFileSync(file, configured());
  expect(await ask("", "--config", file)).toEqual(SILENT);
  const here = ["--health", String(health.port), "--health-token", tokenFile];
  expect(await ask("", ...here)).toEqual(SILENT);
  expect(await ask(configured({ port: 1, tokenFile }), "orders/readonly", ...here)).toEqual(SILENT);
});

test("a login that does not work is told", async () => {
  isReady = false;
  expect(await ask(configured())).toEqual({
    ...SILENT,
    status: 69,
    err: "mayfly: not ready: a login does not work yet, or a port or file is missing; the agent's log says why\n",
  });
});

test("why there is no answer is one line, and no token is in it", async () => {
  const other = join(folder, "other");
  writeFileSync(other, "another-token-of-this-test");
  const gone = await startHealth({ port: 0, token: new Secret(TOKEN), ready: async () => true });
  await gone[Symbol.asyncDispose]();
  const rows: readonly (readonly [object | undefined, number, RegExp])[] = [
    [{ port: gone.port, tokenFile }, 75, /no agent answers on 127\.0\.0\.1, port \d+ \(ECONN/],
    [{ port: health.port, tokenFile: join(folder, "no") }, 75, /ENOENT\): the agent has not sta/],
    [{ port: health.port, tokenFile: folder }, 75, /EISDIR\): ask as the agent's user/],
    [{ port: health.port, tokenFile: other }, 78, /answers 403: .*other is not its token/],
    [{ port: 0, tokenFile }, 64, /port 0 is a free one, .* choose a port, e\.g\. 9127/],
  ];
  for (const [at, status, words] of rows) {
    const answer = await ask(configured(at));
    expect(answer).toMatchObject({ status, out: "" });
    expect(answer.err).toMatch(words);
    expect(answer.err).toMatch(/^mayfly: [^\n]+\n$/);
    expect(answer.err).not.toContain(TOKEN);
  }
});

test("an agent that does not answer in time is not waited for", async () => {
  const silent = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => silent.once("listening", resolve));
  const { port } = silent.address() as AddressInfo;
  await expect(askReady({ port, tokenFile }, milliseconds(20))).rejects.toThrow(
    `no agent answers on 127.0.0.1, port ${port} within 0.02 seconds`,
  );
  silent.closeAllConnections();
  silent.close();
});

test("without a health port there is nobody to ask", async () => {
  const { health: _, ...others } = JSON.parse(configured()) as { readonly health: unknown };
  const answer = await ask(JSON.stringify(others));
  expect(answer.status).toBe(64);
  expect(answer.err).toMatch("--ready asks the agent's health port, and none is named; give");
});

test("the token goes to 127.0.0.1 itself, whatever proxy the environment names", async () => {
  const heard: unknown[] = [];
  const proxy = createServer(({ headers }, response) => {
    heard.push(headers.authorization);
    response.end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => proxy.once("listening", resolve));
  const { port } = proxy.address() as AddressInfo;
  // as NODE_USE_ENV_PROXY=1 does at the start
  const restore = setGlobalProxyFromEnv({ http_proxy: `http://127.0.0.1:${port}` });
  try {
    await expect(askReady({ port: health.port, tokenFile })).resolves.toBeUndefined();
    const page = { url: `http://127.0.0.1:${health.port}/readyz`, method: "GET" as const };
    await expect(systemPorts.request({ ...page, headers: {} })).resolves.toMatchObject({
      status: 403,
    });
  } finally {
    restore();
    proxy.closeAllConnections();
    proxy.close();
  }
  expect(heard).toEqual([]);
});
