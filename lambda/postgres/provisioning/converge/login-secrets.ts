import { randomBytes, randomUUID } from "node:crypto";
import { Secret } from "../../../../core/secret.ts";
import type { SecretObject, SecretStore } from "../../../../core/secret-store.ts";

/** 192 random bits, URL-safe ASCII. */
export const newPassword = (): Secret => new Secret(randomBytes(24).toString("base64url"));

/** A login in a secret. */
export interface HeldLogin {
  readonly username: string;
  readonly password: Secret;
}

/** The server address that is written into a login's secret. */
export interface SecretEndpoint {
  readonly host: string;
  readonly port: number;
}

/** The login in a secret, if it holds one. */
export const heldBy = (value: SecretObject | undefined): HeldLogin[] => {
  const { username, password } = value ?? {};
  return typeof username === "string" && password !== undefined ? [{ username, password }] : [];
};

const withLogin = (
  before: SecretObject | undefined,
  { host, port }: SecretEndpoint,
  dbname: string,
  login: HeldLogin,
): SecretObject => ({ ...before, engine: "postgres", host, port, dbname, ...login });

/** Whether a secret has this server address: a server may move. */
const isAt = ({ host, port }: SecretEndpoint, value: SecretObject | undefined): boolean =>
  value?.host === host && value.port === port;

/**
 * Write both logins to the issuer secret, the first as `AWSCURRENT` and the second as
 * `AWSPREVIOUS`. A secret with both logins is left unchanged, even if a rotation has swapped them,
 * unless the server has moved. Existing passwords are kept. The secret is written before the
 * database: the next run repairs a crash in between, and the database never has a password that is
 * in no secret.
 */
export async function convergeIssuerSecret(
  secrets: SecretStore,
  arn: string,
  [first, second]: readonly [string, string],
  dbname: string,
  endpoint: SecretEndpoint,
): Promise<readonly HeldLogin[]> {
  const current = await secrets.getSecret(arn, { stage: "AWSCURRENT" });
  const previous = await secrets.getSecret(arn, { stage: "AWSPREVIOUS" });
  const held = [...heldBy(current?.value), ...heldBy(previous?.value)];
  const find = (name: string) => held.find(({ username }) => username === name);
  const isWhole = find(first) !== undefined && find(second) !== undefined;
  const inUse = isWhole && current?.value.username === second ? second : first;
  const logins = [inUse === first ? second : first, inUse].map(
    (username) => find(username) ?? { username, password: newPassword() },
  );
  if (!isWhole || !isAt(endpoint, current?.value))
    for (const login of logins)
      await secrets.putSecret(arn, withLogin(current?.value, endpoint, dbname, login), {
        clientRequestToken: randomUUID(),
      });
  return logins;
}

/** Write the janitor's login to its secret, with the first application database. */
export async function convergeJanitorSecret(
  secrets: SecretStore,
  arn: string,
  janitor: { readonly username: string; readonly dbname: string },
  endpoint: SecretEndpoint,
): Promise<HeldLogin> {
  const current = await secrets.getSecret(arn);
  const held = heldBy(current?.value).find(({ username }) => username === janitor.username);
  if (held !== undefined && isAt(endpoint, current?.value)) return held;
  const login = held ?? { username: janitor.username, password: newPassword() };
  await secrets.putSecret(arn, withLogin(current?.value, endpoint, janitor.dbname, login), {
    clientRequestToken: randomUUID(),
  });
  return login;
}
