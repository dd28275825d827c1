import { afterAll, expect, test } from "vitest";
import { type Publication, publish } from "../../../../client/agent/publication.ts";
import { findSecret } from "../../../../client/agent/secrets-manager/secret-ids.ts";
import { systemTime } from "../../../../client/time.ts";
import { FakeKeeper } from "../../../support/fake-keeper.ts";
import { loginOf } from "../../../support/secrets-port.ts";

const secrets: ReadonlyMap<string, Publication> = new Map(
  ["orders", "orders-reader"].map((name, number) => [
    name,
    publish({
      name,
      keeper: new FakeKeeper(loginOf(number)),
      look: async () => {},
      time: systemTime,
    }),
  ]),
);
afterAll(async () => {
  for (const publication of secrets.values()) await publication[Symbol.asyncDispose]();
});

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:";

test.each([
  ["orders", "orders"],
  ["orders-reader", "orders-reader"],
  [`${ARN}orders`, "orders"],
  [`${ARN}orders-AbCdEf`, "orders"],
  // six characters, as at the end of a whole ARN
  [`${ARN}orders-reader`, "orders-reader"],
  [`${ARN}orders-reader-AbCdEf`, "orders-reader"],
])("%s is the secret %s", (id, name) => {
  expect(findSecret(secrets, id).name).toBe(name);
});

test.each([
  "orders-AbCdEf",
  `${ARN}orders-reader-AbCdEf-AbCdEf`,
  "__proto__",
  "constructor",
  `${ARN}__proto__-AbCdEf`,
  "arn:aws:rds:eu-west-1:111122223333:secret:orders",
  "../orders",
])("%s is no secret", (id) => {
  expect(() => findSecret(secrets, id)).toThrow(/has no secret|must be a secret's name or ARN/);
});
