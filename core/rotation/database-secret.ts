import { ConfigError } from "../errors.ts";
import { shown } from "../leases/lease-id.ts";
import { Secret } from "../secret.ts";
import type { SecretObject } from "../secret-store.ts";

/** A PostgreSQL login in an AWS database secret ("JSON structure of Secrets Manager secrets"). */
export interface DatabaseSecret {
  readonly host: string;
  readonly port: number;
  readonly dbname: string;
  readonly username: string;
  readonly password: Secret;
  /** ARN of the administrator's secret. */
  readonly masterarn?: string;
  /** The whole object: unknown keys are copied. */
  readonly whole: SecretObject;
}

const ENGINES = ["postgres", "aurora-postgresql"];
const DEFAULT_PORT = 5_432;
const DEFAULT_DATABASE = "postgres";

const isName = (value: unknown): value is string =>
  typeof value === "string" &&
  value !== "" &&
  !value.includes("\0") &&
  Buffer.byteLength(value) <= 63;

const isHost = (value: unknown): value is string =>
  typeof value === "string" && /^[A-Za-z0-9.:-]{1,253}$/.test(value);

/** Existing secrets hold the port as a number or as text. */
const portOf = (value: unknown): number =>
  typeof value === "string" && /^\d{1,5}$/.test(value) ? Number(value) : (value as number);

const isPort = (port: unknown): port is number =>
  typeof port === "number" && Number.isInteger(port) && port > 0 && port < 65_536;

/**
 * Parse one version of a secret. The default `port` is 5432, the default `dbname` is `postgres`.
 *
 * @throws ConfigError with the secret's ARN and every missing or wrong key.
 */
export function readDatabaseSecret(
  arn: string,
  label: string,
  value: SecretObject,
): DatabaseSecret {
  const { engine, host, username, password, masterarn, dbname = DEFAULT_DATABASE } = value;
  const port = portOf(value.port ?? DEFAULT_PORT);
  const problems = [
    !ENGINES.includes(engine as string) &&
      `engine ${shown(engine)} is not one of ${ENGINES.join(", ")}`,
    !isHost(host) && `host ${shown(host)} is not the name of a server`,
    !isPort(port) && `port ${shown(value.port)} is not a whole number from 1 to 65535`,
    !isName(dbname) && `dbname ${shown(dbname)} is not a database's name of 1 to 63 bytes`,
    !isName(username) && `username ${shown(username)} is not a user's name of 1 to 63 bytes`,
    !(password instanceof Secret && password.reveal() !== "") && "password is missing or no text",
    masterarn !== undefined &&
      !(typeof masterarn === "string" && masterarn.startsWith("arn:")) &&
      `masterarn ${shown(masterarn)} is not the ARN of a secret`,
  ].filter((each) => each !== false);
  if (problems.length > 0)
    throw new ConfigError(
      `secret ${arn} (${label}) cannot be rotated: ${problems.join("; ")}; put them right: aws secretsmanager put-secret-value`,
    );
  return {
    host: host as string,
    port,
    dbname: dbname as string,
    username: username as string,
    password: password as Secret,
    ...(typeof masterarn === "string" && { masterarn }),
    whole: value,
  };
}
