import type { GenericSchema, InferOutput } from "valibot";
import {
  DATABASE_NAME,
  DATABASE_NAME_RULE,
  ROLE_NAME,
  ROLE_NAME_RULE,
  SECRET_NAME,
  SECRET_NAME_RULE,
} from "../core/names.ts";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import { type ParsedSettings, settingsSchema, toSettingsAndTrust } from "./database.ts";
import { irsaSchema, podIdentitySchema, toIrsa, toPods } from "./identity/eks.ts";
import { githubSchema, toGitHub } from "./identity/github.ts";
import { gitlabSchema, toGitLab } from "./identity/gitlab.ts";
import { identityCenterSchema } from "./identity/identity-center.ts";
import { lambdaSchema } from "./identity/lambda-function.ts";
import { oidcSchema, toOidc } from "./identity/oidc.ts";
import { rolesAnywhereSchema } from "./identity/roles-anywhere.ts";
import { type ParsedRole, roleSchema, toRole } from "./role.ts";
import {
  loginRotationSchema,
  type TimeFields,
  type TimesFields,
  toTimes,
} from "./rotation-times.ts";
import type { Field } from "./schema/fields.ts";
import { parse } from "./schema/problems.ts";
import {
  type ParsedSecret,
  type SecretContext,
  type SecretFields,
  secretSchema,
  toSecret,
} from "./secret.ts";
import { type ParsedTrust, toTrust, trustSchema } from "./trust.ts";

// the input of one construct, checked by the rules of the configuration

const nameProblems = (name: string, pattern: RegExp, what: string, rule: string): string[] =>
  pattern.test(name) ? [] : [`"${name}" is not ${what}; write ${rule}`];

const databaseProblems = (name: string): string[] =>
  nameProblems(name, DATABASE_NAME, "a database name", DATABASE_NAME_RULE);

/**
 * Check one dynamic role.
 *
 * @param length how its TTLs are given.
 * @throws ConfigError as parseConfig.
 */
export const parseRole = <Length>(
  name: string,
  length: Field<Length, number>,
  value: unknown,
): ParsedRole =>
  parse(roleSchema(length), value, toRole, {
    path: [name],
    problems: nameProblems(name, ROLE_NAME, "a role name", ROLE_NAME_RULE),
  });

/**
 * Check one database's settings, and how its server is trusted.
 *
 * @throws ConfigError as parseConfig.
 */
export const parseSettings = (name: string, value: unknown): ParsedSettings & ParsedTrust =>
  parse(settingsSchema, value, toSettingsAndTrust, {
    path: [name],
    problems: databaseProblems(name),
  });

/**
 * Check how functions trust a server.
 *
 * @throws ConfigError as parseConfig.
 */
export const parseTrust = (database: string, value: unknown): ParsedTrust =>
  parse(trustSchema, value, toTrust, { path: [database], problems: databaseProblems(database) });

/**
 * Check one rotated secret.
 *
 * @param times how its times are given.
 * @throws ConfigError as parseConfig.
 */
export const parseSecret = <Schedule, Window>(
  name: string,
  times: TimeFields<Schedule, Window>,
  value: unknown,
  context: SecretContext,
): ParsedSecret =>
  parse(secretSchema(times, context) as Field<unknown, SecretFields>, value, toSecret, {
    path: [name],
    problems: nameProblems(name, SECRET_NAME, "a secret's name", SECRET_NAME_RULE),
  });

/**
 * Check when the passwords of Mayfly's own logins are rotated.
 *
 * @param times how they are given.
 * @throws ConfigError as parseConfig.
 */
export const parseLoginRotation = <Schedule, Window>(
  name: string,
  times: TimeFields<Schedule, Window>,
  value: unknown,
): RotationTimes =>
  parse(loginRotationSchema(times) as Field<unknown, TimesFields>, value, toTimes, {
    path: [name, "loginRotation"],
  });

/** A parser of the properties of one kind of identity. `id` begins the path of each problem. */
const identity =
  <Schema extends GenericSchema<unknown, unknown>, Parsed>(
    schema: Schema,
    convert: (read: InferOutput<Schema>) => Parsed,
  ) =>
  (id: string, value: unknown): Parsed =>
    parse(schema, value, convert, { path: [id] });

const asRead = <Read>(read: Read): Read => read;

export const parseIrsa = identity(irsaSchema, toIrsa);
export const parsePods = identity(podIdentitySchema, toPods);
export const parseGitHub = identity(githubSchema, toGitHub);
export const parseGitLab = identity(gitlabSchema, toGitLab);
export const parseOidc = identity(oidcSchema, toOidc);
export const parseLambda = identity(lambdaSchema, asRead);
export const parseRolesAnywhere = identity(rolesAnywhereSchema, asRead);
export const parseIdentityCenter = identity(identityCenterSchema, asRead);
