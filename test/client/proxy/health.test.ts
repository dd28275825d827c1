import { request } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Health, startHealth } from "../../../client/proxy/health.ts";
import { Secret } from "../../../core/secret.ts";

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
  ["this host, at another port", "/livez", { host: "127.0.0.1:1" }],
  ["IPv6", "/livez", { host: "[::1]" }],
  ["a page of a browser", "/readyz", { authorization, origin: "http://127.0.0.1" }],
  ["a request that was passed on", "/livez", { "x-forwarded-for": "10.0.0.1" }],
  ["no token", "/readyz", {}],
  ["a token without a scheme", "/readyz", { authorization: token }],
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
  const host = `localhost:${health.port}`;
  expect(await statusOf("/readyz", { authorization, host })).toBe(503);
  isReady = true;
});

test("whether the process lives is no secret", async () => {
  expect(await statusOf("/livez", {})).toBe(200);
  expect(await statusOf("/other", {})).toBe(404);
  expect(await statusOf("/livez", {}, "POST")).toBe(405);
});
