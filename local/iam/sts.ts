import type { Account } from "../account.ts";
import { AwsError, notImplemented } from "../http/aws-error.ts";
import {
  operation,
  queryService,
  type Service,
  type UnsignedService,
  unsignedOperation,
} from "../http/protocols.ts";
import type { Role, Session } from "./identity.ts";
import { WebIdentity, type WebIdentityOptions } from "./web-identity.ts";

interface AssumeRoleInput {
  readonly RoleArn: string;
  readonly RoleSessionName: string;
  readonly DurationSeconds?: string;
}

interface WebIdentityInput extends AssumeRoleInput {
  readonly WebIdentityToken: string;
}

/** What STS needs. */
export interface StsOptions extends WebIdentityOptions {
  readonly account: Account;
}

const NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/";

const OF_A_SESSION = /^(?:Policy$|PolicyArns\.|Tags\.|TransitiveTagKeys\.)/;

/** @throws AwsError `NotImplemented` that names a member without effect here. */
function refuseSessionPolicies(operationName: string, input: object): void {
  const member = Object.keys(input).find((name) => OF_A_SESSION.test(name));
  if (member !== undefined) throw notImplemented("sts", `${operationName} with ${member}`);
}

/** AWS STS: what is signed, and what a workload asks that has no credentials yet. */
export function makeSts({ account, ...options }: StsOptions): {
  readonly service: Service;
  readonly unsigned: UnsignedService;
} {
  const { access, identities } = options;
  const webIdentity = new WebIdentity(options);
  const assumed = (role: Role, { RoleSessionName: name, DurationSeconds }: AssumeRoleInput) => {
    const seconds = Number(DurationSeconds ?? 3_600);
    if (seconds > role.maxSessionSeconds)
      throw new AwsError(
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        { status: 400 },
      );
    const { arn, userId, credentials, expiresAt } = identities.assume(role, { name, seconds });
    return {
      Credentials: {
        AccessKeyId: credentials.accessKeyId,
        SecretAccessKey: credentials.secretAccessKey,
        SessionToken: credentials.sessionToken,
        Expiration: new Date(expiresAt),
      },
      AssumedRoleUser: { AssumedRoleId: userId, Arn: arn },
    };
  };
  const assumeRole = async (input: AssumeRoleInput, caller: Session) => {
    refuseSessionPolicies("AssumeRole", input);
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
    return assumed(role, input);
  };
  const assumeRoleWithWebIdentity = async (input: WebIdentityInput) => {
    refuseSessionPolicies("AssumeRoleWithWebIdentity", input);
    const token = await webIdentity.check(input.WebIdentityToken);
    const role = await webIdentity.role(input.RoleArn, token, input.RoleSessionName);
    return {
      ...assumed(role, input),
      SubjectFromWebIdentityToken: token.subject,
      Provider: token.provider.url,
      Audience: token.audience,
    };
  };
  return {
    service: queryService("sts", NAMESPACE, {
      GetCallerIdentity: (_, caller) => ({
        Arn: caller.arn,
        UserId: caller.userId,
        Account: account.id,
      }),
      AssumeRole: operation<AssumeRoleInput>(assumeRole),
    }),
    unsigned: unsignedOperation(
      "sts",
      NAMESPACE,
      "AssumeRoleWithWebIdentity",
      assumeRoleWithWebIdentity,
    ),
  };
}
