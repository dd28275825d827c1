import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type FakeLambda, fakeLambda } from "../support/fake-lambda.ts";
import { mayflyHere } from "../support/mayfly.ts";

let fake: FakeLambda;
beforeAll(async () => {
  fake = await fakeLambda();
});
afterAll(() => fake.stop());

const arn = (name: string): string => `arn:aws:lambda:eu-west-1:123456789012:function:${name}`;
const OUTPUTS = {
  OrdersIssuerArn: arn("mayfly-Mayfly-qdoi-issuer"),
  OrdersOperatorArn: arn("mayfly-Mayfly-qdoi-operator"),
  StockEuIssuerArn: arn("mayfly-Mayfly-wxyz-issuer"),
  StockEuOperatorArn: arn("mayfly-Mayfly-wxyz-operator"),
};
const EMPTY = { leases: [], foreign: [] };
const USERNAME = "mf_wxyz_readonly_app_00000000ahabcdefghijkl";
const LEASE = `stock-eu/readonly/${USERNAME}`;

beforeEach(() => {
  fake.outputs = OUTPUTS;
  fake.stacks = {};
  fake.script({ body: EMPTY });
});

const run = (...args: string[]): ReturnType<typeof mayflyHere> => mayflyHere(args, fake.env);

test("the database must be named when the stack has several", async () => {
  expect(await run("leases")).toEqual({
    status: 64,
    out: "",
    err: "mayfly: stack Mayfly has the databases Orders, StockEu (spelled as in the outputs); name one with --database\n",
  });
  expect(fake.invoked).toEqual([]);
});

test.each(["stock-eu", "StockEu"])("%s is the database of that name", async (database) => {
  expect(await run("leases", "--database", database)).toMatchObject({ status: 0 });
  expect(fake.invoked).toEqual([OUTPUTS.StockEuOperatorArn]);
});

test("for an unknown database, the error lists the stack's databases", async () => {
  const { status, err } = await run("status", "--database", "users");
  expect(status).toBe(69);
  expect(err).toContain("has no database users; it has Orders, StockEu");
});

test.each<[string, string[], string]>([
  ["renewed", ["renew", LEASE], `${OUTPUTS.StockEuIssuerArn}:app--readonly`],
  ["revoked", ["revoke", LEASE], `${OUTPUTS.StockEuIssuerArn}:app--readonly`],
  ["revoked by an operator", ["revoke", LEASE, "--as-operator"], OUTPUTS.StockEuOperatorArn],
])("a lease is %s in the database that its id says", async (_, args, expected) => {
  const receipt = { leaseId: LEASE, state: "revoked", servers: [], blockers: [] };
  const renewal = { expiresAt: "", maxExpiresAt: "", refreshAfter: "" };
  fake.script({ body: { ...receipt, ...renewal } });
  expect(await run(...args)).toMatchObject({ status: 0, err: "" });
  expect(fake.invoked).toEqual([expected]);
});

test("whois asks the database whose tag the name has", async () => {
  expect((await run("whois", USERNAME)).out).toMatch(/\nstate +gone: /);
  expect(fake.invoked).toEqual([OUTPUTS.StockEuOperatorArn]);
  const elsewhere = await run("whois", USERNAME, "--database", "orders");
  expect(elsewhere.out).toMatch(/\nstate +of another stack/);
});

test("a stack without Mayfly's outputs is refused", async () => {
  fake.outputs = { BucketName: "b", OrdersOperatorArn: "an operator without an issuer" };
  for (const args of [["leases"], ["whois", USERNAME]]) {
    const { status, err } = await run(...args);
    expect(status).toBe(69);
    expect(err).toContain("has no outputs <Database>IssuerArn and <Database>OperatorArn");
  }
});

describe("databases with a stack of their own", () => {
  const { OrdersIssuerArn, OrdersOperatorArn, StockEuIssuerArn, StockEuOperatorArn } = OUTPUTS;
  const ConsumerRoleArns = "arn:aws:iam::123456789012:role/mayfly-Mayfly_*-eu-west-1";
  beforeEach(() => {
    fake.stacks = {
      Mayfly: { OrdersIssuerArn, OrdersOperatorArn, DatabaseStacks: "stock-eu,users" },
      "Mayfly-stock-eu": { StockEuIssuerArn, StockEuOperatorArn },
      "Mayfly-users": {},
    };
  });

  test("are found there, and no other stack is asked", async () => {
    expect(await run("leases", "--database", "stock-eu")).toMatchObject({ status: 0 });
    expect(fake.invoked).toEqual([StockEuOperatorArn]);
    expect(fake.described).toEqual(["Mayfly", "Mayfly-stock-eu"]);
  });

  test("are listed if the database must be named", async () => {
    const { err } = await run("leases");
    expect(err).toContain(" Orders, StockEu, Users (spelled as in the outputs);");
    const unknown = await run("status", "--database", "stock");
    expect(unknown.status).toBe(69);
    expect(unknown.err).toMatch(/ stock; .* Orders, StockEu, Users /);
  });

  test("are searched for the tag of a name", async () => {
    expect((await run("whois", USERNAME)).out).toMatch(/\nstate +gone: /);
    expect(fake.invoked).toEqual([StockEuOperatorArn]);
  });

  test("need not be named if there is only one", async () => {
    fake.stacks = { ...fake.stacks, Mayfly: { DatabaseStacks: "stock-eu" } };
    expect(await run("leases")).toMatchObject({ status: 0 });
    expect(fake.invoked).toEqual([StockEuOperatorArn]);
  });

  test("the ARN of a consumer's role is built from its name if there is no output", async () => {
    fake.stacks = {
      ...fake.stacks,
      Mayfly: { OrdersIssuerArn, OrdersOperatorArn, ConsumerRoleArns },
    };
    const lease = LEASE.replace("stock-eu", "orders");
    await run("renew", lease, "--assume");
    expect(fake.assumed).toEqual(["arn:aws:iam::123456789012:role/mayfly-Mayfly_app-eu-west-1"]);
  });
});
