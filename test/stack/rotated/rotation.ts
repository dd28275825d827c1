import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { SecretRotation } from "../../../local/secrets-manager/secret-rotation.ts";
import { invoke } from "../../local/clients.ts";
import { eventually } from "../../support/eventually.ts";
import { metricsInLine } from "../../support/named-metrics.ts";
import {
  allPasswords,
  arnOf,
  attemptsOf,
  refusalOf,
  SHIPPED_SECRETS,
  type ShippedName,
  shippedSecret,
} from "../../support/shipped-secrets.ts";
import type { ShippedStack } from "../../support/stack.ts";
import { type RotatedStack, rotated } from "./stack.ts";

const DAY = 86_400_000;
const REFUSED = "28P01";

let stack: ShippedStack;
let events: RotatedStack["events"];
/** Asked by each PutSecretValue that has a RotationToken: it must be this one. */
const tokenOf = vi.spyOn(SecretRotation.prototype, "rotationTokenOf");

beforeAll(async () => {
  ({ stack, events } = await rotated());
});
afterAll(() => tokenOf.mockRestore());

const secret = (name: ShippedName) => shippedSecret(stack, name);
const failures = () => stack.runner.rotations.attempts.filter(({ failure }) => failure);
const alternates = (name: ShippedName): boolean => name === "shop" || name === "issuer";

async function rotate(...names: readonly ShippedName[]): Promise<void> {
  for (const name of names) await secret(name).rotate();
  await stack.runner.rotations.idle();
}

test.each(SHIPPED_SECRETS)("%s was rotated at deployment", async (name) => {
  expect(attemptsOf(stack, name)).toEqual([expect.objectContaining({ failure: undefined })]);
  const { RotationEnabled, LastRotatedDate } = await secret(name).describe();
  expect([RotationEnabled, LastRotatedDate]).toEqual([true, expect.any(Date)]);
  expect(await refusalOf(stack, await secret(name).value())).toBeUndefined();
  const previous = await refusalOf(stack, await secret(name).value("AWSPREVIOUS"));
  // the second of two users is made by the first rotation
  expect(previous).toBe(alternates(name) ? undefined : REFUSED);
});

test.each(SHIPPED_SECRETS)("%s is rotated by RotateSecret", async (name) => {
  const before = await secret(name).value();
  const { AWSCURRENT: former } = await secret(name).labels();
  const { VersionId } = await secret(name).rotate();
  await stack.runner.rotations.idle();
  const { RotationToken } = events.findLast(({ Step }) => Step === "createSecret") ?? {};
  expect(tokenOf.mock.results).toEqual([{ type: "return", value: RotationToken }]);
  expect(await secret(name).labels()).toEqual({ AWSCURRENT: VersionId, AWSPREVIOUS: former });
  const after = await secret(name).value();
  expect(await refusalOf(stack, after)).toBeUndefined();
  expect(await refusalOf(stack, before)).toBe(alternates(name) ? undefined : REFUSED);
  // all but the password, and the username where two take turns, is what it was
  const { username, password } = after;
  expect(after).toEqual({ ...before, username, password });
  expect(username === before.username).toBe(!alternates(name));
  expect(password).not.toBe(before.password);
});

const withVerifiers = (text: string): string[] =>
  text.split("\n").filter((line) => /SCRAM-SHA-256\$\d+:/.test(line));

test("no verifier is in the server's log", () => {
  const log = stack.runner.database.log();
  expect(log).toContain("password authentication failed");
  expect(withVerifiers(log)).toEqual([]);
});

test("leases go on being issued while the issuer's logins are rotated, and connections lost", async () => {
  let rotating = true;
  const issued: unknown[] = [];
  const one = async (): Promise<void> => {
    while (rotating) {
      const { answer } = await stack.ask({ action: "issue" });
      const receipt = await stack.ask({ action: "revoke", leaseId: answer?.leaseId });
      issued.push(answer?.errorMessage ?? receipt.answer?.errorMessage);
    }
  };
  const workers = [one(), one(), one()];
  for (let n = 0; n < 3; n++) {
    const before = issued.length;
    await rotate("issuer");
    // what the functions remember is of a former version when they log in again
    await stack.superuser(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename like 'mf\\_%\\_login\\__'",
    );
    await eventually(() => issued.length >= before + 6);
  }
  rotating = false;
  await Promise.all(workers);
  expect(issued.filter((each) => each !== undefined)).toEqual([]);
  expect(failures()).toEqual([]);
});

test("the administrator is rotated while its login makes another's turn", async () => {
  for (let n = 0; n < 2; n++) await rotate("admin", "shop");
  for (const name of ["admin", "shop"] as const)
    expect(await refusalOf(stack, await secret(name).value())).toBeUndefined();
  expect(failures()).toEqual([]);
});

test("the plan is made true while everything is rotated", async () => {
  for (const name of SHIPPED_SECRETS) await secret(name).rotate();
  for (let n = 0; n < 3; n++) {
    const { answer } = await stack.operate({ action: "converge" });
    expect(answer).toMatchObject({ rolesMade: 0, passwordsSet: 0, warnings: [] });
  }
  await stack.runner.rotations.idle();
  expect(failures()).toEqual([]);
});

test("the sweeper publishes the age of each, and the operator's sweep of none", async () => {
  const sweeper = stack.operatorArn.replace(/operator$/, "sweeper");
  const printed = stack.runner.logs().length;
  const { answer } = await invoke(stack.administrator, sweeper, { action: "sweep" });
  expect(answer).toMatchObject({ secretsOverdue: [] });
  const ages = () =>
    stack.runner
      .logs()
      .slice(printed)
      .flatMap(({ line }) => metricsInLine(line))
      .filter(({ name }) => name === "SecretAgeSeconds");
  expect(ages().map(({ dimensions }) => dimensions.secret)).toEqual(
    [...SHIPPED_SECRETS, "janitor"].toSorted(),
  );
  expect((await stack.operate({ action: "sweep" })).answer).not.toHaveProperty("secretsOverdue");
  expect(ages()).toHaveLength(SHIPPED_SECRETS.length + 1);
});

test("in a month each secret is rotated as often as its schedule says", async () => {
  const before = new Map(SHIPPED_SECRETS.map((name) => [name, attemptsOf(stack, name).length]));
  await stack.runner.rotations.advance(31 * DAY);
  const rotated = SHIPPED_SECRETS.map((name) => [
    name,
    attemptsOf(stack, name).length - (before.get(name) ?? 0),
  ]);
  expect(rotated).toEqual([
    ["reports", 1],
    ["shop", 4],
    ["admin", 1],
    ["issuer", 1],
  ]);
  expect(failures()).toEqual([]);
  for (const name of SHIPPED_SECRETS)
    expect(await refusalOf(stack, await secret(name).value())).toBeUndefined();
  const { LastRotatedDate } = await secret("admin").describe();
  // cron(0 4 1 * ? *)
  expect(LastRotatedDate?.toISOString()).toMatch(/-01T04:/);
});

test("no password is in any line of any function, of the server or of the policies", async () => {
  const { runner } = stack;
  const passwords = await allPasswords(stack);
  expect(passwords.size).toBeGreaterThan(30);
  const written = [
    ...runner.logs().map(({ line }) => line),
    runner.database.log(),
    JSON.stringify([runner.calls, runner.outputs, runner.rotations.attempts]),
  ].join("\n");
  const absent = SHIPPED_SECRETS.filter((name) => !written.includes(arnOf(runner, name)));
  expect(absent).toEqual([]);
  const secrets = [...passwords, ...events.map(({ RotationToken = "" }) => RotationToken)];
  expect(secrets.filter((each) => written.includes(each))).toEqual([]);
  // whoever ends a session in the midst of an issue has the server log its statement
  expect(
    withVerifiers(
      runner
        .logs()
        .map(({ line }) => line)
        .join("\n"),
    ),
  ).toEqual([]);
});
