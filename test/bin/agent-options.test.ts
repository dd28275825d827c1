import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readWritten } from "../../bin/agent/agent-configuration.ts";
import { type AgentOptions, writtenFor } from "../../bin/agent/agent-options.ts";
import { newFolder } from "../support/file-outlet.ts";

const LEASE = { name: "orders/readonly", arn: "arn" };
const written = (options: Partial<AgentOptions>) =>
  writtenFor(LEASE, { file: [], template: [], ...options });

const PAIR =
  "--port needs --password-file or --private-loopback, and --password-file needs --port; give both";
const ONE =
  "--port goes with --password-file or with --private-loopback, and not with --socket; leave one out";

test.each<[Partial<AgentOptions>, string]>([
  [{ port: "5432" }, PAIR],
  [{ passwordFile: "/run/p" }, PAIR],
  [{ passwordFile: "/run/p", socket: "/run/s" }, PAIR],
  [{ port: "5432", privateLoopback: true, socket: "/run/s" }, ONE],
  [{ port: "5432", privateLoopback: true, passwordFile: "/run/p" }, ONE],
  [{ state: "" }, '--state: "" is no path; give one, or leave the option out'],
  [{ ca: "" }, '--ca: "" is no path; give one, or leave the option out'],
  [{ socket: "" }, '--socket: "" is no path; give one, or leave the option out'],
  [
    { secretsPort: "1", secretsToken: "" },
    '--secrets-token: "" is no path; give one, or leave the option out',
  ],
])("%j is refused in words", (options, words) => {
  expect(() => written(options)).toThrow(words);
  expect(words.length).toBeLessThanOrEqual(160);
});

test("a socket and a Secrets Manager's port of a private loopback go together", () => {
  expect(
    written({ socket: "/run/s", privateLoopback: true, secretsPort: "1", secretsToken: "/run/t" }),
  ).toEqual({
    leases: { "orders/readonly": { arn: "arn", proxy: { socket: "/run/s" } } },
    files: [],
    secretsManager: { port: 1, tokenFile: "/run/t", private: true },
  });
});

test("a file of an editor on Windows is read, and an empty one is told", () => {
  const folder = newFolder();
  try {
    const file = join(folder, "agent.json");
    writeFileSync(file, '\uFEFF{ "leases": {} }\r\n');
    expect(readWritten(file)).toEqual({ leases: {} });
    writeFileSync(file, "\n");
    expect(() => readWritten(file)).toThrow(/agent\.json is empty; write \{ "leases"/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
