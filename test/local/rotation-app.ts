import { join } from "node:path";
import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  RotateSecretCommand,
  type RotateSecretCommandInput,
} from "@aws-sdk/client-secrets-manager";
import { CfnOutput, Duration, type Stack } from "aws-cdk-lib";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as secrets from "aws-cdk-lib/aws-secretsmanager";
import { buildSync } from "esbuild";
import { tempFolder } from "../../local/temp-folder.ts";
import type { Clients } from "./clients.ts";

/** The functions of rotation-function.mjs, with all they import. */
export function bundleRotation(): { readonly code: string; remove(): void } {
  const { path: code, remove } = tempFolder("rotation");
  buildSync({
    entryPoints: [join(import.meta.dirname, "rotation-function.mjs")],
    outfile: join(code, "index.js"),
    bundle: true,
    platform: "node",
    format: "cjs",
    external: ["pg-native"],
  });
  return { code, remove };
}

export const SECRETS_MANAGER = new iam.ServicePrincipal("secretsmanager.amazonaws.com");

/** A rotation function, allowed what AWS recommends: the secrets that name it as their own. */
export function rotator(stack: Stack, code: string, name: string, handler: string) {
  const made = new lambda.Function(stack, name, {
    functionName: name,
    runtime: lambda.Runtime.NODEJS_24_X,
    handler: `index.${handler}`,
    code: lambda.Code.fromAsset(code),
    timeout: Duration.seconds(20),
  });
  made.addToRolePolicy(
    new iam.PolicyStatement({
      actions: [
        "DescribeSecret",
        "GetSecretValue",
        "PutSecretValue",
        "UpdateSecretVersionStage",
      ].map((each) => `secretsmanager:${each}`),
      resources: ["*"],
      conditions: {
        StringEquals: {
          "secretsmanager:resource/AllowRotationLambdaArn": `arn:aws:lambda:${stack.region}:${stack.account}:function:${name}`,
        },
      },
    }),
  );
  made.addToRolePolicy(
    new iam.PolicyStatement({ actions: ["secretsmanager:GetRandomPassword"], resources: ["*"] }),
  );
  return made;
}

/** A secret by this name, with a password of its own. */
export const secretNamed = (stack: Stack, secretName: string): secrets.Secret =>
  new secrets.Secret(stack, secretName, {
    secretName,
    description: `of ${secretName}`,
    generateSecretString: {
      secretStringTemplate: JSON.stringify({ username: "app" }),
      generateStringKey: "password",
      excludePunctuation: true,
    },
  });

export const output = (stack: Stack, name: string, value: string): void =>
  new CfnOutput(stack, `${name}Output`, { value }).overrideLogicalId(name);

/** What tests ask of one secret. */
export function secretOf({ secrets: client }: Pick<Clients, "secrets">, SecretId: string) {
  const describe = () => client.send(new DescribeSecretCommand({ SecretId }));
  return {
    describe,
    rotate: (input: Omit<RotateSecretCommandInput, "SecretId"> = {}) =>
      client.send(new RotateSecretCommand({ SecretId, ...input })),
    value: async (VersionStage?: string): Promise<Record<string, string>> => {
      const ask = new GetSecretValueCommand({ SecretId, VersionStage });
      return JSON.parse((await client.send(ask)).SecretString ?? "");
    },
    /** Labels to version ids. */
    labels: async (): Promise<Record<string, string>> =>
      Object.fromEntries(
        Object.entries((await describe()).VersionIdsToStages ?? {}).flatMap(([id, stages]) =>
          stages.map((stage) => [stage, id]),
        ),
      ),
  };
}
