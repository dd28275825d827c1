import { Secret } from "../../../core/secret.ts";
import { clipped, KeeperError } from "../errors.ts";
import type { Login } from "../keeper.ts";
import { awsFailure, clientsOf } from "./aws-sdk.ts";

/** Where a rotated secret is read. Every method throws KeeperError. */
export interface SecretSource {
  /** Its name in messages. */
  readonly name: string;
  /** The version that is AWSCURRENT. */
  read(signal: AbortSignal): Promise<Login>;
}

/** How much of a name an error shows. Unit: characters. */
const SHOWN = 60;

const SECRET_ARN = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:(.+)$/;

type Load = () => Promise<typeof import("./secrets-manager-sdk.ts")>;

/** Secrets Manager by the SDK, with its credentials and a client for each Region. */
export function secretBySdk(load: Load): (secretId: string) => SecretSource {
  const clients = clientsOf(
    "@aws-sdk/client-secrets-manager",
    load,
    (sdk, settings) => new sdk.SecretsManagerClient(settings),
  );
  return (secretId) => {
    const [, region, arnName] = SECRET_ARN.exec(secretId) ?? [];
    const name = clipped(arnName ?? secretId, SHOWN);
    const called = {
      name,
      kind: region === undefined ? "secret" : `secret in ${region}`,
      permission: "secretsmanager:GetSecretValue on it",
    };
    return {
      name,
      read: async (signal) => {
        try {
          const { sdk, client } = await clients(region);
          const { SecretString = "", VersionId = "" } = await client.send(
            new sdk.GetSecretValueCommand({ SecretId: secretId, VersionStage: "AWSCURRENT" }),
            { abortSignal: signal },
          );
          return loginIn(SecretString, VersionId, name);
        } catch (error) {
          throw awsFailure(error, called);
        }
      },
    };
  };
}

/**
 * A rotated secret as the source of logins.
 *
 * @param secretId its ARN, or its name: then the Region is the SDK's.
 */
export const rotatedSecret: (secretId: string) => SecretSource = secretBySdk(
  () => import("./secrets-manager-sdk.ts"),
);

/** AWS's keys of a database secret. */
const DEFAULT_PORT = 5432;
const DEFAULT_DATABASE = "postgres";

function loginIn(text: string, versionId: string, name: string): Login {
  const fields = parsed(text);
  const field = (key: string): string => {
    const value = fields[key];
    if (typeof value === "string" && value !== "") return value;
    throw new KeeperError(
      "invalid",
      `${name} has no "${key}": it is not a database secret; name one with host, username and password`,
    );
  };
  const { port = DEFAULT_PORT, dbname = DEFAULT_DATABASE } = fields;
  return {
    id: `${name}#${versionId}`,
    username: field("username"),
    password: new Secret(field("password")),
    host: field("host"),
    port: Number(port),
    dbname: String(dbname),
    tls: "verify-full",
    version: { id: versionId, text: new Secret(text) },
  };
}

/** The text may be a password: no error shows it. */
function parsed(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
