import { expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { modelOf, toDeployment, toPlan } from "../../config/plan.ts";
import { host, pathsOf, problemAt, problemsOf, sandbox, withDatabase } from "./sample-config.ts";

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf";
const single = { strategy: "single-user", username: "reports", secretArn: ARN };
const pair = { strategy: "alternating-users", usernames: ["a", "b"], ownerGroup: "shop" };
const KEEPS =
  "is only for a secret that Mayfly creates, but secretArn names an existing one; remove it; the existing secret keeps its own";
const INCOMPLETE =
  'is not the complete ARN of a secret; write it with the six characters at its end, as in "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf"';

const withSecrets = (secrets: object, database: object = host) =>
  withDatabase({ ...database, secrets });
const withSecret = (change: object) => withSecrets({ one: { ...single, ...change } });

test.each<[string, unknown, string]>([
  ["a name", withSecret({ secretArn: "reports" }), `one.secretArn: "reports" ${INCOMPLETE}`],
  [
    "a partial ARN",
    withSecret({ secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/x" }),
    `one.secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:db/x" ${INCOMPLETE}`,
  ],
  [
    "a key's ARN",
    withSecret({ secretArn: "arn:aws:kms:eu-west-1:111122223333:key/0123" }),
    `one.secretArn: "arn:aws:kms:eu-west-1:111122223333:key/0123" ${INCOMPLETE}`,
  ],
  ["no text", withSecret({ secretArn: true }), `one.secretArn: true ${INCOMPLETE}`],
  [
    "a secret that RDS manages",
    withSecret({
      secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-0-AbCdEf",
    }),
    'one.secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rds!db-0-AbCdEf" is rotated by RDS, which made it; remove this secret, or let RDS manage the password no longer',
  ],
  [
    "another key",
    withSecret({ kmsKeyArn: "arn:aws:kms:eu-west-1:111122223333:key/01-23" }),
    `one.kmsKeyArn: "arn:aws:kms:eu-west-1:111122223333:key/01-23" ${KEEPS}`,
  ],
  [
    "replicas",
    withSecret({ replicaRegions: ["eu-central-1"] }),
    `one.replicaRegions: ["eu-central-1"] ${KEEPS}`,
  ],
  [
    "a sandbox",
    withSecrets({ one: single }, sandbox),
    'one.secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf" names an existing secret, but the stack creates all secrets of a sandbox; remove it, and Mayfly creates a secret',
  ],
  [
    "the administrator's secret",
    withSecrets({ one: single }, { ...host, adminSecret: ARN }),
    'one.secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf" is adminSecret, the administrator\'s; write strategy: "master-user" without it, or name another',
  ],
  [
    "one secret twice",
    withSecrets({ one: single, two: { ...single, username: "other" } }),
    'two.secretArn: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf" is rotated as "orders/one" already; remove one of the two',
  ],
])("refuses %s, naming place, value and remedy", (_what, config, problem) => {
  expect(problemsOf(config)).toEqual([`databases.orders.secrets.${problem}`]);
});

test.each<[string, unknown, string]>([
  [
    "two users without a group",
    withSecrets({ one: { ...pair, ownerGroup: undefined, secretArn: ARN } }),
    "one",
  ],
  [
    "an administrator's key",
    withSecrets(
      { one: { strategy: "master-user", username: "postgres", secretArn: ARN } },
      { ...host, instance: "orders-db", adminSecret: ARN },
    ),
    "one.secretArn",
  ],
])("refuses %s, naming the place", (_what, config, path) => {
  expect(pathsOf(config)).toEqual([`databases.orders.secrets.${path}`]);
});

test("one secret is not rotated by two databases", () => {
  const orders = { ...host, secrets: { one: single } };
  expect(problemsOf({ databases: { orders, archive: orders }, consumers: {} })).toEqual([
    problemAt("databases.archive.secrets.one.secretArn", ARN),
  ]);
});

test("Mayfly creates the user of an existing secret only if role or ownerGroup is given", () => {
  const secrets = {
    alone: single,
    shop: { ...pair, secretArn: ARN.replace("reports", "shop") },
  };
  const model = modelOf(parseConfig(withSecrets(secrets)), "orders", "abcd");
  if (model === undefined) throw new Error("there is a database orders");
  expect(model.secrets.get("alone")).toMatchObject({ secretArn: ARN, replicaRegions: [] });
  expect(Object.keys(toPlan(model).rotatedUsers ?? {})).toEqual(["shop"]);
  expect(Object.keys(toDeployment(model).rotatedSecrets ?? {})).toEqual([
    "alone",
    "issuer",
    "janitor",
    "shop",
  ]);
});
