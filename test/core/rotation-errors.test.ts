import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { rotate } from "../../core/rotation/rotate.ts";
import type { RotationStep } from "../../core/rotation/rotation-request.ts";
import type { RotationSettings } from "../../core/rotation/settings.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretObject } from "../../core/secret-store.ts";
import type { Instant } from "../../core/time.ts";
import { type MemoryRotation, memoryRotation } from "../support/memory-rotation.ts";
import { SINGLE_USER } from "../support/single-user.ts";

const MASTER = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:admin-AbCdEf";
const LOGIN: SecretObject = {
  engine: "postgres",
  host: "db.example.com",
  username: "app",
  password: new Secret("the-password"),
};

interface Scene {
  readonly step: RotationStep;
  readonly settings?: Partial<RotationSettings>;
  /** Of the secret, beside its login. */
  readonly value?: SecretObject;
  /** The value of the pending version, beside the login. */
  readonly pending?: SecretObject;
}

/** A step of a secret whose server refuses every login. RDS does as it is told. */
function refusedStep({ step, settings, value, pending }: Scene): {
  readonly secret: MemoryRotation;
  readonly refused: Promise<unknown>;
} {
  const { username, password } = LOGIN;
  const secret = memoryRotation({ ...LOGIN, ...value }, { [MASTER]: { username, password } });
  const next = { ...LOGIN, password: new Secret("the-next-password"), ...pending };
  const token = pending === undefined ? secret.begin() : secret.put(next, "AWSPENDING");
  const refused = rotate(
    {
      settings: { ...SINGLE_USER, ...settings },
      secretArn: secret.arn,
      masterArn: MASTER,
      server: { host: "db.example.com", port: 5_432 },
      secrets: secret.secrets,
      servers: { logIn: async () => ({ refused: "28P01" }) },
      rds: {
        setMasterPassword: async () => {},
        belongs: async () => false,
        addressOf: async () => undefined,
      },
      random: randomBytes,
      telemetry: { audit: () => {} },
      time: { now: () => 0 as Instant, wait: async () => {} },
    },
    { step, secretId: secret.arn, token },
  );
  return { secret, refused };
}

test.each<[string, Scene, { readonly name: string; readonly message: string }]>([
  [
    "whose administrator's secret names no server",
    {
      step: "createSecret",
      settings: { strategy: "alternating-users", usernames: ["app", "app_b"] },
    },
    { name: "ConfigError", message: "lacks host, and has no tag of RDS" },
  ],
  [
    "that would be too long",
    { step: "createSecret", value: { note: "x".repeat(65_536) } },
    { name: "ConfigError", message: "with its new password, and Secrets Manager keeps 65536" },
  ],
  [
    "whose pending version has no value",
    { step: "setSecret" },
    {
      name: "InvalidRequestError",
      message: "has no value yet; createSecret comes before setSecret",
    },
  ],
  [
    "whose pending version is another user's",
    { step: "setSecret", pending: { username: "other" } },
    {
      name: "ConfigError",
      message: '(AWSPENDING) holds the username "other" where "app" must be, and was not tried',
    },
  ],
  [
    "whose password RDS has set, and the server refuses",
    { step: "setSecret", settings: { strategy: "master-user" }, pending: {} },
    {
      name: "ConfigError",
      message: "RDS has applied the new password, and db.example.com refuses it (code 28P01)",
    },
  ],
  [
    "whose pending login the server refuses",
    { step: "finishSecret", pending: {} },
    {
      name: "ConfigError",
      message: "refuses the pending login of app (code 28P01), which therefore does not become",
    },
  ],
])("a secret %s is refused by name and sentence", async (_, scene, { name, message }) => {
  const { secret, refused } = refusedStep(scene);
  const before = secret.labels();
  await expect(refused).rejects.toMatchObject({ name, message: expect.stringContaining(message) });
  expect(secret.labels()).toEqual(before);
});
