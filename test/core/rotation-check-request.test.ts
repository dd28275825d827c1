import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { namesSecret } from "../../core/aws/secret-id.ts";
import { ConfigError, InvalidRequestError, NotAllowedError } from "../../core/errors.ts";
import { checkRequest, refuseOtherSecrets } from "../../core/rotation/check-request.ts";
import type { SecretDescription } from "../../core/rotation/rotation-ports.ts";

const PREFIX = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:";
const TOKEN = "11111111-1111-4111-8111-111111111111";
const OTHER = "22222222-2222-4222-8222-222222222222";

describe("the secret of an ARN is named", () => {
  test.each([
    ["its ARN", `${PREFIX}orders-AbCdEf`, `${PREFIX}orders-AbCdEf`],
    ["its name", "orders", `${PREFIX}orders-AbCdEf`],
    ["a name with slashes", "prod/orders/app", `${PREFIX}prod/orders/app-AbCdEf`],
    ["a name that ends as an ARN does", "orders-AbCdEf", `${PREFIX}orders-AbCdEf-XyZxYz`],
    ["RDS's own", "rds!db-0a1b", `${PREFIX}rds!db-0a1b-AbCdEf`],
    ["its partial ARN", `${PREFIX}orders`, `${PREFIX}orders-AbCdEf`],
    ["its ARN, deployed by a partial one", `${PREFIX}orders-AbCdEf`, `${PREFIX}orders`],
    ["a partial ARN, deployed by it", `${PREFIX}orders`, `${PREFIX}orders`],
    ["its name, deployed by a partial ARN", "orders", `${PREFIX}orders`],
    ["its ARN, deployed by its name", `${PREFIX}db1/master-secret-AbCdEf`, "db1/master-secret"],
    ["whatever an emulator calls both", "orders-AbCdEf", "orders-AbCdEf"],
    [
      "an ARN of another partition",
      "orders",
      "arn:aws-cn:secretsmanager:cn-north-1:111122223333:secret:orders-AbCdEf",
    ],
  ])("by %s", (_, id, arn) => {
    expect(namesSecret(id, arn)).toBe(true);
  });

  test.each([
    ["another name", "invoices", `${PREFIX}orders-AbCdEf`],
    [
      "a name that has its own before an end like an ARN's",
      "orders-AbCdEf",
      `${PREFIX}orders-AbCdEf`,
    ],
    ["the same with another end", "orders-abcdef", `${PREFIX}orders-AbCdEf`],
    ["the ARN of that secret", `${PREFIX}orders-abcdef-QwErTy`, `${PREFIX}orders-AbCdEf`],
    ["the partial ARN of that secret", `${PREFIX}orders-abcdef`, `${PREFIX}orders-AbCdEf`],
    ["the ARN of a secret that had its name", `${PREFIX}orders-XyZxYz`, `${PREFIX}orders-AbCdEf`],
    [
      "a partial ARN that looks whole: it is another secret's",
      `${PREFIX}orders-AbCdEf`,
      `${PREFIX}orders-AbCdEf-XyZxYz`,
    ],
    ["that secret's name", "orders", `${PREFIX}orders-AbCdEf-XyZxYz`],
    ["a name that begins like its own", "order", `${PREFIX}orders-AbCdEf`],
    ["the end of its name", "app", `${PREFIX}orders/app-AbCdEf`],
    ["another case", "Orders", `${PREFIX}orders-AbCdEf`],
    ["another account", `${PREFIX.replace("1111", "4444")}orders-AbCdEf`, `${PREFIX}orders-AbCdEf`],
    ["another Region", `${PREFIX.replace("west", "east")}orders-AbCdEf`, `${PREFIX}orders-AbCdEf`],
    ["an end of the wrong length", `${PREFIX}orders-AbCdEfG`, `${PREFIX}orders`],
    [
      "a longer name, deployed by a partial ARN",
      `${PREFIX}orders-abcdef-QwErTy`,
      `${PREFIX}orders`,
    ],
    ["another's ARN, deployed by its name", `${PREFIX}db1/master-AbCdEf`, "db1/master-secret"],
    ["the half of an emulator's name", "orders", "orders-AbCdEf"],
    ["nothing", "", `${PREFIX}orders-AbCdEf`],
  ])("not by %s", (_, id, arn) => {
    expect(namesSecret(id, arn)).toBe(false);
    expect(() => refuseOtherSecrets(id, arn)).toThrow(NotAllowedError);
    expect(() => refuseOtherSecrets(id, arn)).toThrow(
      `secret ${id} is not the one that this function rotates, ${arn}; give it a rotation function of its own`,
    );
  });

  // names that are easily taken for each other, and for the ends of ARNs
  const parts = fc.constantFrom("orders", "AbCdEf", "abcdef", "a/bcdef", "x");
  const name = fc.array(parts, { minLength: 1, maxLength: 3 }).map((each) => each.join("-"));
  const end = fc.constantFrom("-AbCdEf", "-abcdef", "-XyZxYz");

  /** Every id by which Secrets Manager finds a secret: a partial ARN must not look like a whole one. */
  const idsOf = (called: string, random: string): readonly string[] => [
    called,
    `${PREFIX}${called}${random}`,
    ...(/-[A-Za-z0-9]{6}$/.test(called) ? [] : [`${PREFIX}${called}`]),
  ];

  test("by every id that Secrets Manager finds it by, and by none of any other secret's", () => {
    fc.assert(
      fc.property(name, end, name, end, (mine, myEnd, theirs, theirEnd) => {
        const arn = `${PREFIX}${mine}${myEnd}`;
        for (const id of idsOf(mine, myEnd)) expect(namesSecret(id, arn)).toBe(true);
        fc.pre(mine !== theirs);
        for (const id of idsOf(theirs, theirEnd)) expect(namesSecret(id, arn)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });

  test("deployed by a partial ARN, by none whose described ARN is another's", () => {
    fc.assert(
      fc.property(name, name, end, (mine, theirs, theirEnd) => {
        fc.pre(mine !== theirs && mine !== `${theirs}${theirEnd}`);
        expect(namesSecret(`${PREFIX}${theirs}${theirEnd}`, `${PREFIX}${mine}`)).toBe(false);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("a step", () => {
  const secret = (
    stages: readonly string[] | undefined,
    facts: Partial<SecretDescription> = {},
  ): SecretDescription => ({
    arn: `${PREFIX}orders-AbCdEf`,
    tags: new Map(),
    versions: new Map([
      [OTHER, ["AWSPREVIOUS"]],
      ...(stages === undefined ? [] : [[TOKEN, stages] as const]),
    ]),
    ...facts,
  });
  const request = { step: "setSecret", secretId: `${PREFIX}orders-AbCdEf`, token: TOKEN } as const;

  test.each([
    ["runs for the pending version", ["AWSPENDING"], {}, "run"],
    ["runs where rotation is enabled", ["AWSPENDING"], { rotationEnabled: true }, "run"],
    ["runs for a pending version with other labels", ["blue", "AWSPENDING"], {}, "run"],
    ["is done for the current version", ["AWSCURRENT"], {}, "done"],
    ["is done for a version that is both", ["AWSPENDING", "AWSCURRENT"], {}, "done"],
  ])("%s", (_, stages, facts, expected) => {
    expect(checkRequest(secret(stages, facts), request)).toBe(expected);
  });

  test.each([
    [
      "a secret that is not enabled for rotation",
      ["AWSPENDING"],
      { rotationEnabled: false },
      ConfigError,
      `secret ${PREFIX}orders-AbCdEf is not enabled for rotation; enable it: aws secretsmanager rotate-secret`,
    ],
    [
      "such a secret, also for a version that is current",
      ["AWSCURRENT"],
      { rotationEnabled: false },
      ConfigError,
      `secret ${PREFIX}orders-AbCdEf `,
    ],
    [
      "a secret that a service keeps for itself",
      ["AWSPENDING"],
      { owningService: "rds", rotationEnabled: true },
      ConfigError,
      "is managed and rotated by rds; remove the rotation function from it",
    ],
    [
      "an unknown version",
      undefined,
      {},
      InvalidRequestError,
      `secret ${PREFIX}orders-AbCdEf has no version ${TOKEN} to rotate; let Secrets Manager start the rotation: aws secretsmanager rotate-secret`,
    ],
    [
      "the previous version",
      ["AWSPREVIOUS"],
      {},
      InvalidRequestError,
      `version ${TOKEN} of secret ${PREFIX}orders-AbCdEf is not AWSPENDING but AWSPREVIOUS; start the rotation anew: aws secretsmanager rotate-secret`,
    ],
    ["a label of somebody's", ["a", "b"], {}, InvalidRequestError, "not AWSPENDING but a, b;"],
    ["no label", [], {}, InvalidRequestError, "is not AWSPENDING but without a label;"],
  ])("is refused for %s", (_, stages, facts, type, text) => {
    const step = () => checkRequest(secret(stages, facts), request);
    expect(step).toThrow(type);
    expect(step).toThrow(text);
  });
});
