import { AwsRefusedError, ConfigError, InvalidRequestError } from "../errors.ts";
import type { RandomBytes, Telemetry } from "../leases/lease-ports.ts";
import { JANITOR_SECRET } from "../names.ts";
import type { Time } from "../time.ts";
import { AWSCURRENT, AWSPENDING, AWSPREVIOUS } from "./check-request.ts";
import { type DatabaseSecret, readDatabaseSecret } from "./database-secret.ts";
import type {
  RotationRds,
  RotationSecrets,
  RotationServers,
  ServerLogin,
} from "./rotation-ports.ts";
import type { RotationRequest } from "./rotation-request.ts";
import type { RotationSettings, RotationStrategy } from "./settings.ts";

/** The dependencies of the rotation steps. */
export interface RotationDeps {
  readonly settings: RotationSettings;
  /** ARN of the secret that is rotated. */
  readonly secretArn: string;
  /** ARN of the administrator's secret. Only `alternating-users` needs it. */
  readonly masterArn?: string;
  /**
   * The address of the server. A secret with another address is refused: its writer must not choose
   * the server.
   */
  readonly server: { readonly host: string; readonly port: number };
  readonly secrets: RotationSecrets;
  readonly servers: RotationServers;
  readonly rds: RotationRds;
  readonly random: RandomBytes;
  readonly telemetry: Pick<Telemetry, "audit">;
  readonly time: Time;
}

/** Facts about a step for the audit trail. */
export interface StepFacts {
  /** The names of what was changed besides the password; no values. */
  readonly changed?: readonly string[];
  /** Privileges of only one user, granted by a role that does not own the application's objects. */
  readonly foreignGrants?: readonly string[];
}

/** The username in the next version, given the one in the current version. */
export const nextUsername = ({ usernames }: RotationSettings, username: string): string =>
  usernames.find((each) => each !== username) ?? username;

/** Read and check the current version. @throws ConfigError if it cannot be rotated. */
export async function readCurrent(deps: RotationDeps, id: string): Promise<DatabaseSecret> {
  const version = await deps.secrets.getSecret(id, { stage: AWSCURRENT });
  if (version === undefined)
    throw new ConfigError(
      `secret ${id} has no ${AWSCURRENT} value; put the login that is in use: aws secretsmanager put-secret-value`,
    );
  const current = readDatabaseSecret(id, AWSCURRENT, version.value);
  const { usernames, secret } = deps.settings;
  if (!usernames.includes(current.username))
    throw new ConfigError(
      `secret ${id} (${AWSCURRENT}) holds the username "${current.username}", and its function was deployed for ${usernames.join(" and ")}; correct the secret, or the usernames of "${secret}" in the configuration, and deploy again`,
    );
  await checkAddress(deps, id, current);
  return current;
}

/** @throws ConfigError if the secret names another server than the function was deployed for. */
async function checkAddress(deps: RotationDeps, id: string, secret: DatabaseSecret): Promise<void> {
  const { server, rds } = deps;
  if (sameHost(secret.host, server.host)) {
    if (secret.port === server.port) return;
    throw new ConfigError(
      `secret ${id} (${AWSCURRENT}) names port ${secret.port} of ${secret.host}, and its function was deployed for port ${server.port}; correct the secret, or deploy again`,
    );
  }
  if (await rds.belongs(secret.host)) return;
  throw new ConfigError(
    `secret ${id} (${AWSCURRENT}) names the host ${secret.host}, which is neither ${server.host}, for which its function was deployed, nor a replica of it that RDS knows; correct the secret, or deploy again`,
  );
}

/** Compare host names: DNS ignores case, and a name may end in a dot. */
export const sameHost = (a: string, b: string): boolean => plain(a) === plain(b);

const plain = (host: string): string => host.toLowerCase().replace(/\.$/, "");

/**
 * Read the pending version, and check it against the current one before any login: a writer of the
 * pending version must not make Mayfly send its password to another server.
 *
 * @returns undefined while it has no value.
 */
export async function readPending(
  deps: RotationDeps,
  { secretId: id, token }: RotationRequest,
  current: DatabaseSecret,
): Promise<DatabaseSecret | undefined> {
  const version = await deps.secrets.getSecret(id, { versionId: token, stage: AWSPENDING });
  if (version === undefined) return undefined;
  const pending = readDatabaseSecret(id, AWSPENDING, version.value);
  // with RotateImmediatelyOnUpdate: false, Secrets Manager tests a copy of the current value
  const isCopy = pending.password.reveal() === current.password.reveal();
  const expected = isCopy ? current.username : nextUsername(deps.settings, current.username);
  checkSame(id, AWSPENDING, pending, { ...current, username: expected });
  return pending;
}

/** Like {@link readPending}. @throws InvalidRequestError while it has no value. */
export async function needPending(
  deps: RotationDeps,
  request: RotationRequest,
  current: DatabaseSecret,
): Promise<DatabaseSecret> {
  const pending = await readPending(deps, request, current);
  if (pending !== undefined) return pending;
  throw new InvalidRequestError(
    `version ${request.token} of secret ${request.secretId} has no value yet; createSecret comes before ${request.step}: aws secretsmanager rotate-secret`,
  );
}

/**
 * The previous version, if it is a login of `username`. Its server address is ignored: the login is
 * tried on the deployed server, which may have moved since.
 */
export async function readPrevious(
  deps: RotationDeps,
  id: string,
  username: string,
): Promise<DatabaseSecret | undefined> {
  try {
    const version = await deps.secrets.getSecret(id, { stage: AWSPREVIOUS });
    if (version === undefined) return undefined;
    const previous = readDatabaseSecret(id, AWSPREVIOUS, version.value);
    return previous.username === username ? previous : undefined;
  } catch (error) {
    // it may come from a time when the secret held something else: then ignore it
    if (error instanceof ConfigError || error instanceof AwsRefusedError) return undefined;
    throw error;
  }
}

function checkSame(
  id: string,
  label: string,
  version: DatabaseSecret,
  wanted: Pick<DatabaseSecret, "username" | "host" | "port">,
): void {
  const changed = (["username", "host", "port"] as const).filter((key) =>
    key === "host" ? !sameHost(version.host, wanted.host) : version[key] !== wanted[key],
  );
  const [key] = changed;
  if (key === undefined) return;
  throw new ConfigError(
    `secret ${id} (${label}) holds the ${key} "${version[key]}" where "${wanted[key]}" must be, and was not tried; a rotation changes only the password, or switches to the other of two users: remove the label ${label} from that version: aws secretsmanager update-secret-version-stage`,
  );
}

const OF_APPLICATIONS: readonly RotationStrategy[] = ["single-user", "alternating-users"];

/**
 * A secret's login on the deployed server. Replicas have the same roles, but roles are changed only
 * there.
 */
export const onServer = (
  { server, settings: { strategy, secret } }: Pick<RotationDeps, "server" | "settings">,
  { dbname, username, password }: DatabaseSecret,
): ServerLogin => ({
  ...server,
  dbname,
  username,
  password,
  ofApplication: OF_APPLICATIONS.includes(strategy) && secret !== JANITOR_SECRET,
});
