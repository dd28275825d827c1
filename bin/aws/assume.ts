import { LambdaClient } from "@aws-sdk/client-lambda";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import type { ClientSettings } from "./clients.ts";

/** A Lambda client with the credentials of a role. */
export async function assume(
  clients: ClientSettings,
  roleArn: string,
  sessionName: string,
): Promise<LambdaClient> {
  const { Credentials } = await new STSClient(clients).send(
    new AssumeRoleCommand({ RoleArn: roleArn, RoleSessionName: sessionName }),
  );
  const { AccessKeyId = "", SecretAccessKey = "", SessionToken = "" } = Credentials ?? {};
  const credentials = {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
  };
  return new LambdaClient({ ...clients, credentials });
}
