import { readFileSync } from "node:fs";
import { join } from "node:path";
import { InvokeCommand } from "@aws-sdk/client-lambda";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from "@aws-sdk/client-secrets-manager";
import { beforeAll, describe, expect, test } from "vitest";
import type { Template } from "../../../local/cloudformation/assembly.ts";
import { type Clients, clientsOf, invoke } from "../../local/clients.ts";
import { shippedAssembly } from "../../support/shipped-assembly.ts";
import {
  allPasswords,
  arnOf,
  attemptsOf,
  rotatorOf,
  SHIPPED_SECRETS,
  type ShippedName,
  shippedSecret,
} from "../../support/shipped-secrets.ts";
import type { ShippedStack } from "../../support/stack.ts";
import { rotated } from "./stack.ts";

let stack: ShippedStack;
let roles: readonly string[];
/** ARNs of all secrets of the stack: the rotated ones, the janitor's and the pepper. */
let secrets: readonly string[];

beforeAll(async () => {
  ({ stack } = await rotated());
  const template = JSON.parse(
    readFileSync(join(await shippedAssembly(), "Mayfly.template.json"), "utf8"),
  ) as Template;
  roles = Object.entries(template.Resources).flatMap(([id, { Type }]) =>
    Type === "AWS::IAM::Role" ? id : [],
  );
  const { SecretList = [] } = await stack.administrator.secrets.send(new ListSecretsCommand({}));
  secrets = SecretList.map(({ ARN = "" }) => ARN);
});

const DENIED = { name: "AccessDeniedException" };

/** What of these secrets a principal may do. */
async function allowed(
  { secrets: client }: Clients,
  Command: typeof DescribeSecretCommand | typeof GetSecretValueCommand,
): Promise<string[]> {
  const found: string[] = [];
  for (const SecretId of secrets)
    try {
      await client.send(new Command({ SecretId }));
      found.push(SecretId);
    } catch (error) {
      if ((error as Error).name !== DENIED.name) throw error;
    }
  return found;
}

test("there are roles and secrets to try", () => {
  expect([roles.length, secrets.length]).toEqual([17, 6]);
});

test("a consumer reads the secret that it was granted, and no other; the other reads none", async () => {
  const reports = arnOf(stack.runner, "reports");
  for (const Command of [DescribeSecretCommand, GetSecretValueCommand]) {
    expect(await allowed(stack.reporting, Command)).toEqual([reports]);
    expect(await allowed(stack.userService, Command)).toEqual([]);
  }
  const { secrets: client } = stack.reporting;
  for (const command of [
    new RotateSecretCommand({ SecretId: reports }),
    new PutSecretValueCommand({ SecretId: reports, SecretString: "{}" }),
    new ListSecretsCommand({}),
  ])
    await expect(client.send(command as RotateSecretCommand)).rejects.toMatchObject(DENIED);
});

test("no role of the stack may invoke a rotator", async () => {
  const call = { InvocationType: "DryRun" } as const;
  for (const role of roles) {
    const { lambda } = clientsOf(stack.runner, role);
    for (const name of SHIPPED_SECRETS)
      await expect(
        lambda.send(new InvokeCommand({ ...call, FunctionName: rotatorOf(stack, name) })),
      ).rejects.toMatchObject(DENIED);
  }
});

const rotatorRole = (name: ShippedName): string =>
  roles.find((id) => id.startsWith(ROTATION_OF[name])) ?? "";
const ROTATION_OF: Readonly<Record<ShippedName, string>> = {
  reports: "orderssecretreportsRotation",
  shop: "orderssecretshopRotation",
  admin: "orderssecretadminRotation",
  issuer: "ordersLoginRotation",
};

test.each(SHIPPED_SECRETS)("the rotator of %s may touch that secret alone", async (name) => {
  const clients = clientsOf(stack.runner, rotatorRole(name));
  const own = arnOf(stack.runner, name);
  const readable = name === "shop" ? [own, arnOf(stack.runner, "admin")] : [own];
  for (const Command of [DescribeSecretCommand, GetSecretValueCommand])
    expect((await allowed(clients, Command)).toSorted()).toEqual(readable.toSorted());
  for (const SecretId of secrets.filter((each) => each !== own)) {
    const put = new PutSecretValueCommand({ SecretId, SecretString: "{}" });
    await expect(clients.secrets.send(put)).rejects.toMatchObject(DENIED);
    const move = new UpdateSecretVersionStageCommand({ SecretId, VersionStage: "AWSCURRENT" });
    await expect(clients.secrets.send(move)).rejects.toMatchObject(DENIED);
  }
});

describe("a rotator that is called by hand", () => {
  const TOKEN = "0".repeat(32);
  const byHand = async (event: object, name: ShippedName = "reports") => {
    const { answer } = await invoke(stack.administrator, rotatorOf(stack, name), event);
    return [answer?.errorType, answer?.errorMessage].join(": ");
  };

  test.each<[string, (arn: string, other: string) => object, string]>([
    ["with nothing", () => ({}), "InvalidRequestError: SecretId undefined "],
    [
      "with an unknown step",
      (SecretId) => ({ SecretId, Step: "deleteSecret", ClientRequestToken: TOKEN }),
      'InvalidRequestError: secret <arn>: Step "deleteSecret" ',
    ],
    [
      "with a token that is too short",
      (SecretId) => ({ SecretId, Step: "setSecret", ClientRequestToken: "1" }),
      'InvalidRequestError: secret <arn>: ClientRequestToken "1" ',
    ],
    [
      "with a token of no version",
      (SecretId) => ({ SecretId, Step: "setSecret", ClientRequestToken: TOKEN }),
      `InvalidRequestError: secret <arn> has no version ${TOKEN} `,
    ],
    [
      "with another secret",
      (_, SecretId) => ({ SecretId, Step: "setSecret", ClientRequestToken: TOKEN }),
      "NotAllowedError: secret <other> ",
    ],
  ])("%s", async (_, event, expected) => {
    const [arn, other] = [arnOf(stack.runner, "reports"), arnOf(stack.runner, "admin")];
    const words = expected.replace("<arn>", arn).replace("<other>", other);
    expect((await byHand(event(arn, other))).startsWith(words)).toBe(true);
  });

  test("with a version that was promoted already does nothing", async () => {
    const { AWSCURRENT, AWSPREVIOUS } = await shippedSecret(stack, "shop").labels();
    const SecretId = arnOf(stack.runner, "shop");
    const event = { SecretId, Step: "setSecret", ClientRequestToken: AWSCURRENT };
    const { answer } = await invoke(stack.administrator, rotatorOf(stack, "shop"), event);
    expect(answer).toMatchObject({ step: "setSecret", outcome: "current already" });
    expect(await byHand({ ...event, ClientRequestToken: AWSPREVIOUS }, "shop")).toContain(
      `InvalidRequestError: version ${AWSPREVIOUS} of secret ${SecretId} `,
    );
  });

  test("by Secrets Manager for a secret that is not its own refuses", async () => {
    const RotationLambdaARN = stack.operatorArn.replace(/operator$/, "rotate-reports");
    await shippedSecret(stack, "shop").rotate({ RotationLambdaARN });
    await stack.runner.rotations.idle();
    expect(attemptsOf(stack, "shop").at(-1)?.failure).toEqual({
      step: "createSecret",
      message: expect.stringContaining(`${arnOf(stack.runner, "shop")} `),
    });
  });
});

describe("a secret that cannot be rotated", () => {
  test.each<[string, (value: object) => string, string]>([
    ["because it is no JSON", () => "this-text-is-a-password", "secret <arn> is not a JSON object"],
    [
      "because it lacks the engine",
      (value) => JSON.stringify({ ...value, engine: undefined }),
      "secret <arn> (AWSCURRENT) cannot be rotated: engine undefined ",
    ],
  ])("%s says so, and is rotated once it is right", async (_, wrong, expected) => {
    const { secrets: client } = stack.administrator;
    const SecretId = arnOf(stack.runner, "reports");
    const secret = shippedSecret(stack, "reports");
    const right = await secret.value();
    const put = (SecretString: string) =>
      client.send(new PutSecretValueCommand({ SecretId, SecretString }));
    await put(wrong(right));
    const { VersionId } = await secret.rotate();
    await stack.runner.rotations.idle();
    expect(attemptsOf(stack, "reports").at(-1)?.failure).toEqual({
      step: "createSecret",
      message: expect.stringContaining(expected.replace("<arn>", SecretId)),
    });
    await put(JSON.stringify(right));
    await expect(secret.rotate()).rejects.toThrow("That rotation will be reattempted");
    await stack.runner.rotations.idle();
    expect(await secret.labels()).toMatchObject({ AWSCURRENT: VersionId });
  });
});

test("nothing secret is in what all this has left in logs", async () => {
  const passwords = [...(await allPasswords(stack)), "this-text-is-a-password"];
  const lines = stack.runner.logs().map(({ line }) => line);
  expect(lines.filter((line) => line.includes("request.refused")).length).toBeGreaterThan(6);
  expect(lines.filter((line) => passwords.some((each) => line.includes(each)))).toEqual([]);
});
