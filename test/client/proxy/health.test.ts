import { randomBytes } from "node:crypto";
import { chmodSync, statSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Health, healthToken, startHealth } from "../../../client/proxy/health.ts";
import { Secret } from "../../../core/secret.ts";
import { tempFolder } from "../../../local/temp-folder.ts";

const token = "t".repeat(32);
let health: Health;
let logins = 0;
let isReady = true;
beforeAll(async () => {
  const ready = async (): Promise<boolean> => {
    logins += 1;
    return isReady;
  };
  health = await startHealth({ port: 0, ready, token: new Secret(token) });
});
afterAll(() => health[Symbol.asyncDispose]());

function statusOf(path: string, headers: Record<string, string>, method = "GET"): Promise<number> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port: health.port, path, method, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

const authorization = `Bearer ${token}`;

test.each([
  ["a foreign host", "/readyz", { authorization, host: "evil.example" }],
  ["a foreign host, even for /livez", "/livez", { host: "evil.example:80" }],
  ["a page of a browser", "/readyz", { authorization, origin: "http://127.0.0.1" }],
  ["no token", "/readyz", {}],
  ["another token", "/readyz", { authorization: `Bearer ${"u".repeat(32)}` }],
  ["half of the token", "/readyz", { authorization: authorization.slice(0, -1) }],
])("%s reads 403, and nobody logs in for it", async (_, path, headers) => {
  logins = 0;
  expect(await statusOf(path, headers as Record<string, string>)).toBe(403);
  expect(logins).toBe(0);
});

test("who has the token reads whether a login works now", async () => {
  expect(await statusOf("/readyz", { authorization })).toBe(200);
  isReady = false;
  expect(await statusOf("/readyz", { authorization, host: "localhost" })).toBe(503);
  isReady = true;
});

test("whether the process lives is no secret", async () => {
  expect(await statusOf("/livez", {})).toBe(200);
  expect(await statusOf("/other", {})).toBe(404);
  expect(await statusOf("/livez", {}, "POST")).toBe(405);
});

test("the token's file is its owner's alone, and is kept", () => {
  const { path: folder, remove } = tempFolder("token");
  try {
    const path = join(folder, "token");
    const made = healthToken(path, randomBytes);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(healthToken(path, randomBytes).reveal()).toBe(made.reveal());
    chmodSync(path, 0o640);
    expect(() => healthToken(path, randomBytes)).toThrow(/may be read by others; chmod it to 600/);
    expect(() => healthToken(join(folder, "no/token"), randomBytes)).toThrow(/written: ENOENT/);
  } finally {
    remove();
  }
});
