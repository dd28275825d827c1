import {
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-secrets-manager";
import pg from "pg";
import { secretOf } from "../local/rotation-app.ts";
import type { ShippedStack } from "./stack.ts";

/** The rotated secrets of the shipped stack: one for each strategy. */
export const SHIPPED_SECRETS = ["reports", "shop", "admin", "issuer"] as const;
export type ShippedName = (typeof SHIPPED_SECRETS)[number];

type Runner = ShippedStack["runner"];

export const arnOf = ({ outputs }: Runner, name: ShippedName): string =>
  outputs[`Orders${name[0]?.toUpperCase()}${name.slice(1)}SecretArn`] ?? "";

/** Name of the function that rotates a secret. */
export const rotatorOf = (stack: ShippedStack, name: ShippedName): string =>
  stack.operatorArn.replace(/^.*:/, "").replace(/operator$/, `rotate-${name}`);

/** What an administrator asks of a secret. */
export const shippedSecret = ({ administrator, runner }: ShippedStack, name: ShippedName) =>
  secretOf(administrator, arnOf(runner, name));

/** Attempts at the rotation of a secret that have ended. */
export const attemptsOf = ({ runner }: ShippedStack, name: ShippedName) =>
  runner.rotations.attempts.filter(({ secretArn }) => secretArn === arnOf(runner, name));

/**
 * Log in with a version of a secret as an application does: with nothing but what is in it, and the
 * authority's certificate. @returns the SQLSTATE of a refusal.
 */
export async function refusalOf(
  stack: Pick<ShippedStack, "runner">,
  { username: user, password, host, port, dbname: database }: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const ssl = { ca: stack.runner.database.ca };
  const client = new pg.Client({ host, port: Number(port), user, password, database, ssl });
  try {
    await client.connect();
    await client.query("select 1");
    return undefined;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  } finally {
    await client.end();
  }
}

/** Everything secret in every version of every secret of the account, by labels and without. */
export async function allPasswords({ administrator }: ShippedStack): Promise<Set<string>> {
  const { secrets } = administrator;
  const { SecretList = [] } = await secrets.send(new ListSecretsCommand({}));
  const found = new Set<string>();
  for (const { ARN: SecretId } of SecretList) {
    const list = new ListSecretVersionIdsCommand({ SecretId, IncludeDeprecated: true });
    const { Versions = [] } = await secrets.send(list);
    for (const { VersionId } of Versions) {
      const ask = new GetSecretValueCommand({ SecretId, VersionId });
      // a rotation that failed may have left a version without a value
      const { SecretString = "{}" } = await secrets.send(ask).catch(noValue);
      for (const each of secretsIn(SecretString)) found.add(each);
    }
  }
  return found;
}

function noValue(error: unknown): { readonly SecretString?: string } {
  if (error instanceof ResourceNotFoundException) return {};
  throw error;
}

/** A text that is no JSON is secret as a whole. */
function secretsIn(text: string): readonly string[] {
  try {
    const { password, pepper } = JSON.parse(text) as Record<string, unknown>;
    return [password, pepper].filter((each) => typeof each === "string");
  } catch {
    return [text];
  }
}
