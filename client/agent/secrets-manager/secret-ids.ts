import { createHash } from "node:crypto";
import { isSecretId, namesSecret } from "../../../core/aws/secret-id.ts";
import type { Publication } from "../publication.ts";
import { SecretError } from "./secret-error.ts";

/** A secret as clients see it. */
export interface NamedSecret {
  readonly name: string;
  readonly publication: Publication;
}

/**
 * Find a secret by its name, or by an ARN with that name: programs may go on asking by the ARN that
 * they have.
 *
 * @throws SecretError
 */
export function findSecret(secrets: ReadonlyMap<string, Publication>, id: unknown): NamedSecret {
  if (typeof id !== "string" || !isSecretId(id))
    throw new SecretError(
      "InvalidParameterException",
      "SecretId must be a secret's name or ARN: 1 to 512 letters, digits and /_+=.@!-",
    );
  const named = secrets.get(id);
  if (named !== undefined) return { name: id, publication: named };
  // "orders-reader" without its random end is not "orders" with one
  const rest = id.replace(ARN_START, "");
  const whole = secrets.get(rest);
  if (whole !== undefined) return { name: rest, publication: whole };
  for (const [name, publication] of secrets)
    if (namesSecret(id, name)) return { name, publication };
  throw new SecretError(
    "ResourceNotFoundException",
    `this agent has no secret ${id.slice(-60)}; add it to the agent's configuration`,
  );
}

/** No account of AWS has this number. */
const ACCOUNT = "000000000000";
const IS_ARN = /^arn:/;
const ARN_START = /^arn:(?:[^:]*:){5}/;

/** An ARN as AWS would give it. The random end is of the name, so that it stays. */
export function arnOf(name: string, region: string): string {
  if (IS_ARN.test(name)) return name;
  const end = createHash("sha256").update(name).digest("base64").replace(/\W/g, "").slice(0, 6);
  return `arn:aws:secretsmanager:${region}:${ACCOUNT}:secret:${name}-${end}`;
}

/** AWS's: the name without an ARN's start and random end. */
export const plainName = (name: string): string =>
  IS_ARN.test(name) ? name.replace(ARN_START, "").replace(/-\w{6}$/, "") : name;
