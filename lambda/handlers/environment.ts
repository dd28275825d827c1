import { ConfigError } from "../../core/errors.ts";

/** A function's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The named variables, all of them set.
 *
 * @throws ConfigError that names every one that is missing.
 */
export function required<Name extends string>(
  env: Environment,
  names: readonly Name[],
): Readonly<Record<Name, string>> {
  const missing = names.filter((name) => !env[name]);
  if (missing.length > 0)
    throw new ConfigError(
      `the function's environment lacks ${missing.join(", ")}; deploy the stack again`,
    );
  return Object.fromEntries(names.map((name) => [name, env[name]])) as Record<Name, string>;
}

/**
 * The variable `ROTATED_SECRETS`: secret name to ARN. Empty when it is not set.
 *
 * @throws ConfigError when it is no such object.
 */
export function rotatedSecretsIn({
  ROTATED_SECRETS = "{}",
}: Environment): Readonly<Record<string, string>> {
  const value = parsed(ROTATED_SECRETS);
  if (isTexts(value)) return value;
  throw new ConfigError(
    "the function's environment has no names and ARNs in ROTATED_SECRETS; deploy the stack again",
  );
}

/** `undefined` for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.values(value).every((each) => typeof each === "string");
