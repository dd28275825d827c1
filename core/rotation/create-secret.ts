import { ConfigError } from "../errors.ts";
import type { SecretObject } from "../secret-store.ts";
import { renderSecret } from "../secret-text.ts";
import { readAdministrator } from "./administrator.ts";
import type { DatabaseSecret } from "./database-secret.ts";
import { newPassword } from "./new-password.ts";
import type { RotationRequest } from "./rotation-request.ts";
import type { PasswordPolicy } from "./settings.ts";
import {
  nextUsername,
  onServer,
  type RotationDeps,
  readCurrent,
  readPending,
  readPrevious,
} from "./versions.ts";

/** Secrets Manager's limit for a value. Unit: bytes. */
const MAX_VALUE = 65_536;

/** What RDS refuses in a master user's password (API reference, ModifyDBInstance). */
const REFUSED_BY_RDS = ' /"@';

/**
 * Write the pending version: the current value with a new password, and with the other username if
 * two users alternate. Every problem of the secret is found here, before anything is written. An
 * existing value is kept: an earlier attempt may have set its password.
 */
export async function createSecret(deps: RotationDeps, request: RotationRequest): Promise<void> {
  const { secretId: id, token, rotationToken } = request;
  const { settings, secrets, random } = deps;
  const current = await readCurrent(deps, id);
  if (settings.strategy === "alternating-users") await readAdministrator(deps, id, current);
  if ((await readPending(deps, request, current)) !== undefined) return;
  await tryQueries(deps, current);
  const username = nextUsername(settings, current.username);
  if (settings.strategy === "issuer-login") await requireOwnLogin(deps, id, username);
  const password = newPassword(policyOf(deps), random);
  const value = { ...current.whole, username, password };
  refuseTooLong(id, value);
  await secrets.putPending(id, value, {
    token,
    ...(rotationToken !== undefined && { rotationToken }),
  });
}

/**
 * Try the test queries with the current login. A user that changes its own password cannot go back
 * after setSecret, so a failing query must be found now. If the login is refused, setSecret handles
 * it.
 */
async function tryQueries(deps: RotationDeps, current: DatabaseSecret): Promise<void> {
  const { strategy, testQueries } = deps.settings;
  if (strategy !== "single-user" || testQueries.length === 0) return;
  const session = await deps.servers.logIn(onServer(deps, current));
  if ("refused" in session) return;
  try {
    await session.tryQueries(testQueries);
  } finally {
    await session.end();
  }
}

const policyOf = ({ settings }: RotationDeps): PasswordPolicy =>
  settings.strategy === "master-user"
    ? {
        ...settings.password,
        excludeCharacters: settings.password.excludeCharacters + REFUSED_BY_RDS,
      }
    : settings.password;

/** @throws ConfigError if the previous version does not hold the next login. */
async function requireOwnLogin(deps: RotationDeps, id: string, username: string): Promise<void> {
  if ((await readPrevious(deps, id, username)) !== undefined) return;
  throw new ConfigError(
    `secret ${id} (AWSPREVIOUS) does not hold ${username}, which alone may change its password; have the provisioner write it: mayfly converge`,
  );
}

function refuseTooLong(id: string, value: SecretObject): void {
  const length = Buffer.byteLength(renderSecret(value));
  if (length <= MAX_VALUE) return;
  throw new ConfigError(
    `secret ${id} would be ${length} bytes with its new password, and Secrets Manager keeps ${MAX_VALUE}; take out what need not be secret`,
  );
}
