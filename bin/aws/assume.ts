import type { LambdaClient } from "@aws-sdk/client-lambda";
import type { ClientSettings } from "./clients.ts";

/** A Lambda client with the credentials of a role. */
export async function assume(
  clients: ClientSettings,
  roleArn: string,
  sessionName: string,
): Promise<LambdaClient> {
  const [{ LambdaClient }, { AssumeRoleCommand, STSClient }] = await Promise.all([
    import("@aws-sdk/client-lambda"),
    import("@aws-sdk/client-sts"),
  ]);
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
