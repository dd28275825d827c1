import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { ClientSettings, Keys } from "./clients.ts";

/** Keys of a role, until `expiration`. */
export interface RoleKeys extends Keys {
  readonly expiration?: Date;
}

/** Keys of a role, for an hour. */
export async function assumeKeys(
  clients: ClientSettings,
  roleArn: string,
  sessionName: string,
): Promise<RoleKeys> {
  const { AssumeRoleCommand, STSClient } = await import("@aws-sdk/client-sts");
  const { Credentials } = await new STSClient(clients).send(
    new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: sessionName }),
  );
  const {
    AccessKeyId = "",
    SecretAccessKey = "",
    SessionToken = "",
    Expiration,
  } = Credentials ?? {};
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    ...(Expiration !== undefined && { expiration: Expiration }),
  };
}

/** A Lambda client with the credentials of a role. */
export async function assume(
  clients: ClientSettings,
  roleArn: string,
  sessionName: string,
): Promise<LambdaClient> {
  const [{ LambdaClient }, credentials] = await Promise.all([
    import("./lambda-sdk.ts"),
    assumeKeys(clients, roleArn, sessionName),
  ]);
  return new LambdaClient({ ...clients, credentials });
}
