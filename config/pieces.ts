import {
  DATABASE_NAME,
  ISSUER_SECRET,
  JANITOR_SECRET,
  ROLE_NAME,
  ROLE_NAME_RULE,
  SECRET_NAME,
} from "../core/names.ts";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import { readSettings, readTrust } from "./database.ts";
import { finish } from "./finish.ts";
import type { ParsedRole, ParsedSecret, ParsedSettings, ParsedTrust } from "./parsed.ts";
import type { Place } from "./place.ts";
import { readRole } from "./role.ts";
import { readLoginRotation, readSecret, type SecretContext } from "./secret.ts";

/**
 * Check one dynamic role as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseRole(name: string, value: unknown): ParsedRole {
  const problems: string[] = [];
  if (!ROLE_NAME.test(name)) problems.push(`"${name}" is not a role name; write ${ROLE_NAME_RULE}`);
  const role = readRole({ path: name, value, problems });
  return finish(role as ParsedRole, problems);
}

const databaseNameProblems = (name: string): string[] =>
  DATABASE_NAME.test(name)
    ? []
    : [
        `"${name}" is not a database name; write 1 to 32 of a-z, 0-9 and single hyphens, a letter first`,
      ];

/**
 * Check one database's settings as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseSettings(name: string, value: unknown): ParsedSettings & ParsedTrust {
  const problems = databaseNameProblems(name);
  const place: Place = { path: name, value, problems };
  return finish({ ...readSettings(place), ...readTrust(place) }, problems);
}

/**
 * Check how functions trust a server as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseTrust(database: string, value: unknown): ParsedTrust {
  const problems = databaseNameProblems(database);
  return finish(readTrust({ path: database, value, problems }), problems);
}

/**
 * Check one rotated secret as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseSecret(name: string, value: unknown, context: SecretContext): ParsedSecret {
  const problems: string[] = [];
  if (!SECRET_NAME.test(name))
    problems.push(
      `"${name}" is not a secret's name; write 1 to 16 of a-z, 0-9 and single hyphens, a letter first, and not "${ISSUER_SECRET}" or "${JANITOR_SECRET}"`,
    );
  const secret = readSecret({ path: name, value, problems }, context);
  return finish(secret as ParsedSecret, problems);
}

/**
 * Check when the issuer's logins are rotated as the configuration would, for constructs.
 *
 * @throws ConfigError as parseConfig.
 */
export function parseLoginRotation(name: string, value: unknown): RotationTimes {
  const problems: string[] = [];
  const times = readLoginRotation({ path: `${name}.loginRotation`, value, problems });
  return finish(times, problems);
}
