import { namesSecret } from "../aws/secret-id.ts";
import { ConfigError } from "../errors.ts";
import { Secret } from "../secret.ts";
import type { SecretObject } from "../secret-store.ts";
import { AWSCURRENT, AWSPENDING } from "./check-request.ts";
import type { DatabaseSecret } from "./database-secret.ts";
import { type RotationDeps, sameHost } from "./versions.ts";

/** The administrator, who sets the password of the next user. */
export interface Administrator {
  /** The ARN of the administrator's secret. */
  readonly arn: string;
  readonly login: { readonly username: string; readonly password: Secret };
  /** Undefined in a secret that RDS manages. */
  readonly dbname?: string;
}

/** The tags of secrets that RDS manages; their values are ARNs. */
const PRIMARY_TAGS = ["aws:rds:primarydbinstancearn", "aws:rds:primarydbclusterarn"];

/**
 * The administrator of a secret's server, from the secret that `masterarn` names.
 *
 * @throws ConfigError if that is not the secret that the function was deployed with, if it holds no
 *   login, or if it belongs to another server.
 */
export async function readAdministrator(
  deps: RotationDeps,
  id: string,
  { masterarn }: DatabaseSecret,
): Promise<Administrator> {
  const { masterArn: arn } = deps;
  if (arn === undefined)
    throw new ConfigError(
      `secret ${id} has two alternating users, and its function was deployed without an administrator's secret; deploy the stack again`,
    );
  if (masterarn !== undefined && !namesSecret(masterarn, arn))
    throw new ConfigError(
      `secret ${id} (${AWSCURRENT}) names the masterarn ${masterarn}, and its function was deployed with ${arn}; correct the secret, or deploy again`,
    );
  const value = (await deps.secrets.getSecret(arn, { stage: AWSCURRENT }))?.value ?? {};
  const login = loginIn(value);
  if (login === undefined)
    throw new ConfigError(
      `the administrator's secret ${arn} lacks ${typeof value.username === "string" ? "password" : "username"}; store an administrator's login there, as AWS stores database secrets`,
    );
  await checkServer(deps, arn, value);
  return { arn, login, ...(typeof value.dbname === "string" && { dbname: value.dbname }) };
}

/**
 * The administrator's next login during its rotation: the server may accept it already. If no
 * version is pending any more, the current one is new.
 */
export async function readNextAdministrator(
  { secrets }: RotationDeps,
  { arn, login }: Administrator,
): Promise<Administrator["login"] | undefined> {
  for (const stage of [AWSPENDING, AWSCURRENT]) {
    const next = loginIn((await secrets.getSecret(arn, { stage }))?.value ?? {});
    if (next?.username !== login.username) continue;
    if (next.password.reveal() !== login.password.reveal()) return next;
  }
  return undefined;
}

function loginIn({ username, password }: SecretObject): Administrator["login"] | undefined {
  return typeof username === "string" && password instanceof Secret
    ? { username, password }
    : undefined;
}

/** @throws ConfigError if the administrator belongs to another server. */
async function checkServer(deps: RotationDeps, arn: string, value: SecretObject): Promise<void> {
  const { server, rds } = deps;
  const host = value.host === undefined ? await hostByTags(deps, arn) : value.host;
  if (typeof host === "string" && (sameHost(host, server.host) || (await rds.belongs(host))))
    return;
  throw new ConfigError(
    `the administrator's secret ${arn} belongs to the server ${String(host)}, not to ${server.host}; name the secret of the right server as adminSecret, and deploy again`,
  );
}

/** A secret that RDS manages holds only a username and a password; its tags name the server. */
async function hostByTags({ secrets, rds }: RotationDeps, arn: string): Promise<unknown> {
  const { tags } = await secrets.describe(arn);
  for (const [key, value] of tags)
    if (PRIMARY_TAGS.includes(key.toLowerCase())) return rds.addressOf(value);
  throw new ConfigError(
    `the administrator's secret ${arn} lacks host, and has no tag of RDS that says which server it is of; add the key host`,
  );
}
