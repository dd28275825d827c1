import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  ResourceNotFoundException,
  type SecretsManagerClient,
} from "@aws-sdk/client-secrets-manager";
import { ConfigError, DatabaseUnavailableError, type MayflyError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretObject, SecretStore } from "../../core/secret-store.ts";

/** The keys of a secret's JSON that are wrapped in {@link Secret} as soon as they are parsed. */
const SECRET_KEYS = ["password", "pepper"];

/** Faults that a later attempt meets again: somebody must change a policy or the secret. */
const LASTING =
  /^(AccessDenied|Decryption|Encryption|InvalidParameter|InvalidRequest|Validation|LimitExceeded|UnrecognizedClient|MalformedPolicy|ResourceExists|KMS(?!Internal))/;

/**
 * Secrets Manager as a {@link SecretStore}.
 *
 * @throws ConfigError when access is refused, or the value is no JSON object;
 *   DatabaseUnavailableError (wait and retry) for throttling, server and network errors.
 *   No message holds any part of a value.
 */
export function secretsManager(client: Pick<SecretsManagerClient, "send">): SecretStore {
  return {
    getSecret: async (arn, { stage, versionId } = {}) => {
      try {
        const reply = await client.send(
          new GetSecretValueCommand({ SecretId: arn, VersionStage: stage, VersionId: versionId }),
        );
        return { value: parse(arn, reply.SecretString), versionId: reply.VersionId ?? "" };
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return undefined;
        throw converted(`secret ${arn} could not be read`, error);
      }
    },
    putSecret: async (arn, value, { clientRequestToken }) => {
      try {
        await client.send(
          new PutSecretValueCommand({
            SecretId: arn,
            SecretString: render(value),
            ClientRequestToken: clientRequestToken,
          }),
        );
      } catch (error) {
        throw converted(`a new version of secret ${arn} could not be put`, error);
      }
    },
  };
}

function parse(arn: string, text: string | undefined): SecretObject {
  const value = objectIn(text);
  if (value === undefined)
    throw new ConfigError(
      `secret ${arn} is not a JSON object; store it as Secrets Manager stores database secrets`,
    );
  for (const key of SECRET_KEYS)
    if (typeof value[key] === "string") value[key] = new Secret(value[key]);
  return value;
}

function objectIn(text: string | undefined): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "");
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? { ...value } : undefined;
  } catch {
    return undefined; // the parser's message quotes the text
  }
}

const render = (value: SecretObject): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(value).map(([key, each]) => [
        key,
        each instanceof Secret ? each.reveal() : each,
      ]),
    ),
  );

function converted(what: string, error: unknown): MayflyError {
  if (error instanceof ConfigError) return error;
  const name = error instanceof Error ? error.name : "unknown error";
  if (LASTING.test(name) || name === "ResourceNotFoundException")
    return new ConfigError(
      `${what} (${name}); check the function's permissions and the secret's key and policy`,
    );
  return new DatabaseUnavailableError(`${what} (${name}); wait and retry`);
}
