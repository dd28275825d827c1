import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHECKS } from "../../../bin/verify/checks/checks.ts";
import type { Finding } from "../../../core/doctor/finding.ts";
import type { Credential } from "../../../core/leases/credential.ts";
import { tempFolder } from "../../../local/temp-folder.ts";
import { mayfly, mayflyHere, mayflyProcess, type Ran, shellOf } from "../../support/mayfly.ts";
import { type ShippedStack, sharedShipped } from "../../support/stack.ts";

let stack: ShippedStack;
let administrator: Record<string, string>;
let userService: Record<string, string>;
const runs: Ran[] = [];
const passwords: string[] = [];

beforeAll(async () => {
  stack = await sharedShipped();
  await stack.runner.rotations.finished();
  administrator = shellOf(stack.runner, "administrator");
  userService = shellOf(stack.runner, stack.runner.outputs.UserServiceRoleArn ?? "");
});
const { path: folder, remove } = tempFolder("verify");
afterAll(async () => {
  await stack.stop();
  remove();
});

const GRANT = ["--consumer", "user-service", "--role", "readonly"];
const ISSUE = ["issue", ...GRANT, "--assume"];

/** Run as the administrator, unless told. */
async function run(args: readonly string[], env = administrator): Promise<Ran> {
  const ran = await mayfly(args, env);
  runs.push(args[0] === "issue" ? { ...ran, out: "" } : ran);
  return ran;
}

async function issued(...more: string[]): Promise<Credential> {
  const { status, out, err } = await run([...ISSUE, ...more]);
  if (status !== 0) throw new Error(err);
  const credential = JSON.parse(out) as Credential;
  passwords.push(credential.password);
  return credential;
}

/** Run on a terminal where `typed` is typed. */
const onTerminal = (args: readonly string[], typed = ""): ReturnType<typeof mayflyHere> =>
  mayflyHere(args, administrator, { typed });

const issueCalls = (): number =>
  stack.runner.calls.filter(({ resource }) => resource.includes(":user-service--")).length;

describe("mayfly doctor", () => {
  test("has the operator function look at the database, and logs in with a lease that it revokes", async () => {
    const { out, err } = await run(["doctor", "database", "--json"]);
    expect(err).toMatch(/^\d+ findings: /);
    const { findings } = JSON.parse(out) as { readonly findings: readonly Finding[] };
    expect(findings.length).toBeGreaterThan(5);
    expect(new Set(findings.map(({ area }) => area))).toEqual(new Set(["database"]));
    const ca = stack.runner.caFile ?? "";
    const lease = ["--lease", "orders/readonly", "--consumer", "user-service", "--assume"];
    const way = await run(["doctor", "way", ...lease, "--ca", ca]);
    expect(way).toMatchObject({ status: 0, err: "7 findings: 7 ok\n" });
    expect(way.out).toBe(
      "ok  way: lambda-endpoint, clock, lease, database-name, database-port, database-tls, database-login\n",
    );
  });
});

describe("issue", () => {
  test("prints into a pipe a credential that logs in", async () => {
    const { status, out } = await mayflyProcess([...ISSUE, "--ttl", "30m"], administrator);
    expect(status).toBe(0);
    const credential = JSON.parse(out) as Credential;
    const { issuedAt, expiresAt } = credential;
    expect(Date.parse(expiresAt) - Date.parse(issuedAt)).toBe(1_800_000);
    await (await stack.logIn(credential)).end();
  });

  test("works with the consumer's own keys, which may not read the stack", async () => {
    const { status, out } = await run(
      ["issue", ...GRANT, "--function", stack.issuerArn],
      userService,
    );
    expect(status).toBe(0);
    const credential = JSON.parse(out) as Credential;
    passwords.push(credential.password);
    await (await stack.logIn(credential)).end();
    const refused = await run(["issue", ...GRANT], userService);
    expect(refused).toMatchObject({ status: 77, out: "" });
    expect(refused.err).toMatch(/DescribeStacks.*; with --function <arn> the stack is not read\n$/);
  });

  test("takes an alias's own ARN as well", async () => {
    const alias = `${stack.issuerArn}:user-service--readonly`;
    const { status, out } = await run(["issue", ...GRANT, "--function", alias], userService);
    expect(status).toBe(0);
    passwords.push((JSON.parse(out) as Credential).password);
  });

  test("answers one key with one lease, and generates a key if none is given", async () => {
    const first = await issued("--key", "laptop");
    const again = await issued("--key", "laptop");
    expect(again.leaseId).toBe(first.leaseId);
    const later = await issued("--key", "laptop", "--min-remaining", "12h");
    expect(later.leaseId).toBe(first.leaseId);
    const [other, another] = [await issued(), await issued()];
    expect(new Set([first.leaseId, other.leaseId, another.leaseId]).size).toBe(3);
    expect(other.username).not.toContain("_00000000");
  });

  test("prints lines for a shell, with the lease's id", async () => {
    const { status, out } = await run([...ISSUE, "--format", "env"]);
    expect(status).toBe(0);
    const lines = out.trimEnd().split("\n");
    const names = lines.map((line) => /^export (\w+)='[^']+'$/.exec(line)?.[1]);
    expect(names).toEqual(
      "PGHOST PGPORT PGDATABASE PGUSER PGPASSWORD PGSSLMODE MAYFLY_LEASE_ID".split(" "),
    );
    passwords.push(/PGPASSWORD='(.+)'/.exec(out)?.[1] ?? "");
  });

  test("shows nothing on a terminal, and then issues no lease", async () => {
    const before = issueCalls();
    const { status, out, err } = await onTerminal(ISSUE);
    expect({ status, out }).toEqual({ status: 64, out: "" });
    expect(err).toMatch(
      /^mayfly: stdout is a terminal, so no lease was made; .* or pass --show\n$/,
    );
    expect(issueCalls()).toBe(before);
    const shown = await onTerminal([...ISSUE, "--show"]);
    expect(shown.status).toBe(0);
    expect(JSON.parse(shown.out)).toHaveProperty("password");
    expect(issueCalls()).toBe(before + 1);
  });

  test.each<[string, string[], number, RegExp]>([
    ["no consumer", ["issue", "--role", "readonly"], 64, /required option '--consumer <name>'/],
    ["a malformed lifetime", [...ISSUE, "--ttl", "90x"], 64, /--ttl: "90x" /],
    [
      "a lifetime beyond the role's",
      [...ISSUE, "--ttl", "90d"],
      64,
      /InvalidRequestError: ttlSeconds 7776000 /,
    ],
    [
      "a malformed remainder",
      [...ISSUE, "--key", "laptop", "--min-remaining", "soon"],
      64,
      /--min-remaining: "soon" /,
    ],
    [
      "a remainder beyond half of the role's maximum",
      [...ISSUE, "--key", "laptop", "--min-remaining", "13h"],
      64,
      /InvalidRequestError: minRemainingSeconds 46800 /,
    ],
    [
      "a remainder of no key's lease",
      [...ISSUE, "--min-remaining", "10m"],
      64,
      /^mayfly: --min-remaining is about an earlier lease with the same key; pass --key too\n$/,
    ],
    ["an empty key", [...ISSUE, "--key", ""], 64, /InvalidRequestError: idempotencyKey "" /],
    ["an unknown format", [...ISSUE, "--format", "xml"], 64, /Allowed choices are json, env/],
    [
      "a malformed name",
      ["issue", "--consumer", "a:b", "--role", "r"],
      64,
      /"a:b" and "r" are not/,
    ],
    [
      "an unknown consumer",
      ["issue", "--consumer", "x", "--role", "r", "--assume"],
      69,
      /no output XRoleArn/,
    ],
    ["no right to the alias", ["issue", ...GRANT], 77, /only the role of user-service may/],
    [
      "no such alias",
      ["issue", "--consumer", "user-service", "--role", "none"],
      69,
      /there is no alias/,
    ],
  ])("%s", async (_, args, expected, words) => {
    const { status, out, err } = await run(args);
    expect({ status, out }).toEqual({ status: expected, out: "" });
    expect(err).toMatch(words);
  });
});

describe("one lease", () => {
  test("is renewed and revoked by its consumer, and gone when asked again", async () => {
    const credential = await issued();
    const { leaseId } = credential;
    const client = await stack.logIn(credential);
    const renewed = await run(["renew", leaseId, "--ttl", "2h", "--assume", "--json"]);
    const { expiresAt } = JSON.parse(renewed.out) as Credential;
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.parse(credential.expiresAt));
    expect((await run(["renew", leaseId, "--assume"])).out).toMatch(/^lease +orders.*\nexpires +2/);
    const own = ["revoke", leaseId, "--function", stack.issuerArn];
    const revoked = await run(own, userService);
    expect(revoked).toMatchObject({ status: 0, err: "" });
    expect(revoked.out).toMatch(/^state +revoked\nlease .*\nsessions on \S+ +1 ended, .* 0 left\n/);
    await expect(client.query("select 1")).rejects.toThrow(/terminat|not queryable/);
    expect((await run(own, userService)).out).toMatch(/^state +gone\n/);
    const late = await run(["renew", leaseId, "--assume"]);
    expect(late).toMatchObject({ status: 69, out: "" });
    expect(late.err).toMatch(/^mayfly: LeaseEndedError: /);
  });

  test("is ended by an operator, who is no consumer", async () => {
    const { leaseId } = await issued();
    expect((await run(["revoke", leaseId])).status).toBe(77);
    const { status, out } = await run(["revoke", leaseId, "--as-operator", "--json"]);
    expect(status).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ leaseId, state: "revoked", blockers: [] });
  });

  const ONE_WAY = /^mayfly: .* in one way: a lease id, --consumer/;

  test.each<[string, string[], number, RegExp]>([
    ["none", ["revoke"], 64, ONE_WAY],
    ["two ways", ["revoke", "--everything", "--prefix", "mf_"], 64, ONE_WAY],
    ["what is no lease id", ["revoke", "app_owner"], 64, /"app_owner" /],
    ["an empty prefix", ["revoke", "--prefix", "", "--yes"], 64, /prefix "" /],
    ["as two", ["revoke", "--everything", "--assume"], 64, /--assume works only for one lease/],
  ])("%s cannot be revoked", async (_, args, expected, words) => {
    const { status, out, err } = await run(args);
    expect({ status, out }).toEqual({ status: expected, out: "" });
    expect(err).toMatch(words);
  });
});

describe("many leases", () => {
  const left = async (): Promise<number> => {
    const { out } = await run(["leases", "--json"]);
    return (JSON.parse(out) as { leases: unknown[] }).leases.length;
  };

  test("are ended only after yes on a terminal, or with --yes", async () => {
    await run(["revoke", "--everything", "--yes"]);
    await issued();
    await issued();
    const args = ["revoke", "--consumer", "user-service"];
    const piped = await run(args);
    expect(piped).toMatchObject({ status: 64, out: "" });
    expect(piped.err).toMatch(/no terminal to ask on, so nothing was revoked; pass --yes/);
    for (const typed of ["no\n", "y\n", ""]) {
      const refused = await onTerminal(args, typed);
      expect(refused).toMatchObject({ status: 64, out: "" });
      expect(refused.err).toMatch(
        /^This ends 2 leases and .*mayfly: not confirmed: nothing was revoked\n$/s,
      );
    }
    expect(await left()).toBe(2);
    const prefixed = await onTerminal(["revoke", "--prefix", "mf_none_"], "no\n");
    expect(prefixed.err).toMatch(/^This ends 0 leases/);
    const confirmed = await onTerminal(args, "yes\n");
    expect(confirmed).toMatchObject({
      status: 0,
      out: "revoked      2\nquarantined  0\nunverified   0\nfailed       0\n",
    });
    expect(await left()).toBe(0);
  });

  test("are listed in a table, with filters by state, consumer and role", async () => {
    const { username } = await issued("--ttl", "30m");
    const { out, err } = await run(["leases"]);
    const [header = "", row = ""] = out.split("\n");
    expect(header).toBe(
      `STATE  CONSUMER      ROLE      ${"USER".padEnd(username.length)}  EXPIRES IN  SINCE`,
    );
    expect(row).toMatch(
      new RegExp(`^live   user-service  readonly  ${username}  29m \\d\\ds     20\\d\\d-.*Z$`),
    );
    expect(err).toBe("1 lease\n");
    for (const filter of ["--role=readwrite", "--consumer=reporting", "--state=quarantined"])
      expect(await run(["leases", filter])).toMatchObject({
        status: 0,
        out: "",
        err: "0 leases\n",
      });
    expect((await run(["leases", "--state", "dead"])).status).toBe(64);
    const status = await run(["status", "--json"]);
    expect(JSON.parse(status.out)).toEqual({
      leases: [{ role: "readonly", consumer: "user-service", state: "live", count: 1 }],
      foreign: 0,
    });
  });

  test("are swept, and roles that are only named like leases are reported", async () => {
    const { username } = await issued("--key", "swept");
    const foreign = username.replace(/.{12}$/, "aaaaaaaaaaaa");
    await stack.superuser(`alter role "${username}" valid until '2020-01-01T00:00:00Z'`);
    await stack.superuser(`create role "${foreign}"`);
    const { status, out, err } = await run(["sweep"]);
    expect(status).toBe(0);
    expect(out).toMatch(/^live +1\nrevoked +1\nin quarantine +0\n/);
    expect(out).toMatch(/\nserver +same\n/);
    expect(err).toContain(`role ${foreign} `);
    expect((await run(["status"])).err).toContain("1 role named like a lease, but not a lease");
    const whois = await run(["whois", foreign]);
    expect(whois.out).toMatch(/\nstate +foreign: .*\nwhy +the issuer role/);
    await stack.superuser(`drop role "${foreign}"`);
  });
});

const report = join(folder, "report.md");
let verifying: Promise<Ran>;

describe("whois", () => {
  // it waits for most of its time, and nothing from here on counts leases
  beforeAll(() => {
    const args = ["verify", "--stack", "Mayfly", ...GRANT, "--yes", "--json", "--report", report];
    // Node reads the authority's certificate when it starts
    const roots = { NODE_EXTRA_CA_CERTS: stack.runner.caFile };
    verifying = mayflyProcess(args, { ...administrator, ...roots });
  });

  test("names a user's consumer, while the lease lives and afterwards", async () => {
    const { username, leaseId, expiresAt } = await issued();
    const live = await run(["whois", username]);
    expect(live).toMatchObject({ status: 0, err: "" });
    expect(live.out).toMatch(/^user +mf_.*\nconsumer +user-service\nrole +readonly\n/);
    expect(live.out).toMatch(/\nstate +live\n/);
    const { out } = await run(["whois", leaseId, "--json"]);
    expect(JSON.parse(out)).toMatchObject({
      username,
      state: "live",
      lease: { leaseId, expiresAt },
    });
    await run(["revoke", leaseId, "--as-operator"]);
    const gone = await run(["whois", username, "--json"]);
    expect(JSON.parse(gone.out)).toMatchObject({ consumer: "user-service", state: "gone" });
  });

  test("reports another stack's lease as such, not as gone", async () => {
    const other = "mf_aaaa_readonly_user-service_00000000ahabcdefghijkl";
    const { status, out } = await run(["whois", other]);
    expect(status).toBe(0);
    expect(out).toMatch(/\nkey +none\nstate +of another stack/);
  });

  test("a name that is not a lease's is refused", async () => {
    const { status, err } = await run(["whois", "app_owner"]);
    expect(status).toBe(64);
    expect(err).toMatch(/^mayfly: "app_owner" is not a lease's name; those are mf_/);
  });
});

describe("the function of a command", () => {
  test.each<[string, string[], Record<string, string>, number, RegExp]>([
    ["no such stack", ["--stack", "Other"], {}, 69, /there is no stack Other in this account/],
    ["no such database", ["--database", "users"], {}, 69, / users; .* Orders /],
    ["an unknown function", ["--function", "nothing"], {}, 69, /Function not found/],
    [
      "nobody there",
      [],
      { AWS_ENDPOINT_URL: "http://127.0.0.1:1" },
      75,
      /; check .* AWS_ENDPOINT_URL\n$/,
    ],
    ["another Region", [], { AWS_REGION: "eu-west-2" }, 77, /not 'eu-west-2'\.\n$/],
    ["an unknown option", ["--colour"], {}, 64, /^mayfly: unknown option '--colour'\n/],
  ])("%s", async (_, args, env, expected, words) => {
    const { status, out, err } = await run(["status", ...args], { ...administrator, ...env });
    expect({ status, out }).toEqual({ status: expected, out: "" });
    expect(err).toMatch(words);
  });

  test("the error for a missing Region or missing credentials names the setting", async () => {
    const nowhere = await run(["status"], { HOME: "/nonexistent" });
    expect(nowhere.status).toBe(78);
    expect(nowhere.err).toMatch(/^mayfly: no AWS Region is set; set AWS_REGION/);
    const nobody = await run(["status"], { HOME: "/nonexistent", AWS_REGION: "eu-west-1" });
    expect(nobody.status).toBe(77);
    expect(nobody.err).toMatch(/^mayfly: Could not load credentials.*; set AWS_PROFILE/);
  });

  test("the database may have the configuration's name", async () => {
    expect((await run(["status", "--database", "orders"])).status).toBe(0);
  });
});

/** What this machine cannot show, and what takes a stack that may be changed. */
const SKIPPED_HERE = [
  "alias-policy",
  "cloudtrail-join",
  "cold-start",
  "converge",
  "endpoints",
  "lambda-endpoint",
  "master-password",
  "password-commands",
  "rotation-source-arn",
  "saved-queries",
  "update-keeps-policy",
];

test("verify finds a local stack as documented, skips what only AWS has, and ends its leases", async () => {
  const { status, out, err } = await verifying;
  expect({ status, err }).toEqual({ status: 0, err: expect.stringContaining(" 0 differ, ") });
  const { checks, leftovers } = JSON.parse(out) as {
    readonly checks: readonly { readonly id: string; readonly verdict: string }[];
    readonly leftovers: readonly unknown[];
  };
  const skipped = checks.filter(({ verdict }) => verdict === "skipped").map(({ id }) => id);
  const unmade = CHECKS.filter(({ does }) => does === "nothing").map(({ id }) => id);
  expect(skipped.toSorted()).toEqual([...SKIPPED_HERE, ...unmade].toSorted());
  expect(leftovers).toEqual([]);
  const removed = [...err.matchAll(/^removing lease (\S+)$/gm)].map(([, id = ""]) => id);
  expect(removed).toHaveLength(2);
  const { out: listed } = await run(["leases", "--json"]);
  expect(removed.filter((id) => listed.includes(id))).toEqual([]);
  const text = readFileSync(report, "utf8");
  expect(text).toContain("**Not AWS**");
  for (const secret of [stack.runner.accountId, "127.0.0.1", "localhost", "mf_"])
    expect(text).not.toContain(secret);
  expect(statSync(report).mode & 0o777).toBe(0o600);
});

test("no password is anywhere but on the stdout of issue", () => {
  const known = passwords.filter((each) => each !== "");
  expect(new Set(known).size).toBeGreaterThan(8);
  const written = [
    ...runs.flatMap(({ out, err }) => [out, err]),
    ...stack.runner.logs().map(({ line }) => line),
  ].join("\n");
  expect(known.filter((password) => written.includes(password))).toEqual([]);
});
