import type { Account } from "../account.ts";
import { AwsError } from "../http/aws-error.ts";
import { operation, queryService, type Service } from "../http/protocols.ts";
import type { Access } from "./access.ts";
import type { Identities, Session } from "./identity.ts";

interface AssumeRoleInput {
  readonly RoleArn: string;
  readonly RoleSessionName: string;
  readonly DurationSeconds?: string;
}

/** AWS STS. */
export function makeSts(account: Account, access: Access, identities: Identities): Service {
  const assumeRole = async (input: AssumeRoleInput, caller: Session) => {
    const role = identities.find(input.RoleArn);
    await access.authorize(caller, {
      action: "sts:AssumeRole",
      resource: input.RoleArn,
      policy: role?.trust,
      context: { "sts:RoleSessionName": input.RoleSessionName },
    });
    // AWS refuses a role that does not exist like one that does not trust the caller
    if (role === undefined)
      throw new AwsError("AccessDeniedException", `${input.RoleArn} is no role`);
    const { arn, userId, credentials } = identities.session(role, input.RoleSessionName);
    const seconds = Number(input.DurationSeconds ?? 3_600);
    return {
      Credentials: {
        AccessKeyId: credentials.accessKeyId,
        SecretAccessKey: credentials.secretAccessKey,
        SessionToken: credentials.sessionToken,
        Expiration: new Date(Date.now() + seconds * 1_000),
      },
      AssumedRoleUser: { AssumedRoleId: userId, Arn: arn },
    };
  };
  return queryService("sts", "https://sts.amazonaws.com/doc/2011-06-15/", {
    GetCallerIdentity: (_, caller) => ({
      Arn: caller.arn,
      UserId: caller.userId,
      Account: account.id,
    }),
    AssumeRole: operation<AssumeRoleInput>(assumeRole),
  });
}
