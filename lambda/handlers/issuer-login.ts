import type { ConnectionOptions } from "node:tls";
import { ConfigError } from "../../core/errors.ts";
import { MAINTENANCE_DATABASE } from "../../core/names.ts";
import { Secret } from "../../core/secret.ts";
import type { SecretStore } from "../../core/secret-store.ts";
import type { Login } from "../postgres/connection/login.ts";
import type { LoginSource } from "../postgres/connection/maintenance.ts";

export interface IssuerLoginDeps {
  readonly secrets: Pick<SecretStore, "getSecret">;
  readonly secretArn: string;
  /** From the deployment, never from the secret: who can write the secret must not choose the server. */
  readonly host: string;
  readonly port: number;
  readonly ssl: () => ConnectionOptions | false;
}

/** The issuer login in the secret's AWSCURRENT version, kept until a refused password asks again. */
export function issuerLogin(deps: IssuerLoginDeps): LoginSource {
  let login: Login | undefined;
  return async ({ fresh }) => {
    if (login === undefined || fresh) login = await readLogin(deps);
    return login;
  };
}

async function readLogin({ secrets, secretArn, host, port, ssl }: IssuerLoginDeps): Promise<Login> {
  const { username, password } = (await secrets.getSecret(secretArn))?.value ?? {};
  if (typeof username !== "string" || !(password instanceof Secret))
    throw new ConfigError(
      `secret ${secretArn} holds no username and password; deploy the stack again, its provisioner writes them`,
    );
  return { host, port, database: MAINTENANCE_DATABASE, username, password, ssl: ssl() };
}
