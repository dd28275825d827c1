import { Stack } from "aws-cdk-lib";
import type { IKey } from "aws-cdk-lib/aws-kms";
import { type ISecret, type ReplicaRegion, Secret } from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";
import type { PasswordPolicy } from "../../core/rotation/settings.ts";

/** The keys of an AWS database secret, except its password. */
export interface GeneratedSecretProps {
  readonly description: string;
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly username: string;
  /** @default - none */
  readonly adminSecret?: ISecret | undefined;
  readonly password: PasswordPolicy;
  readonly encryptionKey?: IKey | undefined;
  readonly replicaRegions?: ReplicaRegion[] | undefined;
}

const PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
const LOWERCASE = "abcdefghijklmnopqrstuvwxyz";

/** Secrets Manager wants one character of every kind that is not excluded as a whole. */
function wholeKinds(excluded: string) {
  const all = (characters: string): boolean =>
    characters.split("").every((character) => excluded.includes(character));
  return {
    ...(all(PUNCTUATION) && { excludePunctuation: true }),
    ...(all("0123456789") && { excludeNumbers: true }),
    ...(all(LOWERCASE) && { excludeLowercase: true }),
    ...(all(LOWERCASE.toUpperCase()) && { excludeUppercase: true }),
  };
}

/** An AWS database secret for one user. Secrets Manager generates the first password. */
export function makeDatabaseSecret(
  scope: Construct,
  id: string,
  { description, password, encryptionKey, replicaRegions, ...content }: GeneratedSecretProps,
): Secret {
  const { host, port, dbname, username, adminSecret } = content;
  return new Secret(scope, id, {
    description,
    generateSecretString: {
      secretStringTemplate: Stack.of(scope).toJsonString({
        engine: "postgres",
        host,
        port,
        dbname,
        username,
        // a secret that is imported by its name has no ARN
        ...(adminSecret?.secretFullArn !== undefined && { masterarn: adminSecret.secretArn }),
      }),
      generateStringKey: "password",
      passwordLength: password.length,
      excludeCharacters: password.excludeCharacters,
      ...wholeKinds(password.excludeCharacters),
    },
    ...(encryptionKey !== undefined && { encryptionKey }),
    ...(replicaRegions !== undefined && replicaRegions.length > 0 && { replicaRegions }),
  });
}
