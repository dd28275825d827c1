import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { NotAllowedError } from "../../core/errors.ts";
import { rotate } from "../../core/rotation/rotate.ts";
import type { RotationSecrets } from "../../core/rotation/rotation-ports.ts";
import { ROTATION_STEPS } from "../../core/rotation/rotation-request.ts";
import type { RotationDeps } from "../../core/rotation/versions.ts";
import type { Instant } from "../../core/time.ts";
import { SINGLE_USER } from "../support/single-user.ts";

const ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf";
const TOKEN = "11111111-1111-4111-8111-111111111111";

/** Deps of which a description of the secret alone can be used, and what was asked. */
function deps(arnOf: (id: string) => string) {
  const described: string[] = [];
  const forbidden = (what: string) => async () => {
    throw new Error(`${what} was used`);
  };
  const secrets: RotationSecrets = {
    describe: async (id) => {
      described.push(id);
      return { arn: arnOf(id), tags: new Map(), versions: new Map([[TOKEN, ["AWSCURRENT"]]]) };
    },
    getSecret: forbidden("getSecret"),
    putPending: forbidden("putPending"),
    moveLabel: forbidden("moveLabel"),
  };
  const given: RotationDeps = {
    settings: SINGLE_USER,
    secretArn: ARN,
    server: { host: "db.example.com", port: 5_432 },
    secrets,
    servers: { logIn: forbidden("logIn") },
    rds: {
      setMasterPassword: forbidden("setMasterPassword"),
      belongs: forbidden("belongs"),
      addressOf: forbidden("addressOf"),
    },
    random: randomBytes,
    telemetry: { audit: () => {} },
    time: { now: () => 0 as Instant, wait: async () => {} },
  };
  return { given, described };
}

test.each(ROTATION_STEPS)("%s of another secret asks nothing of anybody", async (step) => {
  const { given, described } = deps((id) => id);
  const request = { step, secretId: ARN.replace("orders", "others"), token: TOKEN };
  await expect(rotate(given, request)).rejects.toThrow(NotAllowedError);
  expect(described).toEqual([]);
});

test.each(ROTATION_STEPS)(
  "%s by a name that turns out to be another secret's stops there",
  async (step) => {
    const { given, described } = deps(() => ARN.replace("AbCdEf", "XyZxYz"));
    const refused = rotate(given, { step, secretId: "orders", token: TOKEN });
    await expect(refused).rejects.toThrow(NotAllowedError);
    await expect(refused).rejects.toThrow("secret:orders-XyZxYz ");
    expect(described).toEqual(["orders"]);
  },
);

test.each(["orders", ARN])("the function's own secret is rotated by %s", async (secretId) => {
  const { given } = deps(() => ARN);
  expect(await rotate(given, { step: "setSecret", secretId, token: TOKEN })).toEqual({
    step: "setSecret",
    secretId,
    outcome: "current already",
  });
});
