import { ConfigError } from "../../core/errors.ts";

/** A function's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The named variables; all must be set.
 *
 * @throws ConfigError with every missing variable.
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
 * The variable `ROTATED_SECRETS`: ARNs by secret name. Empty if it is not set.
 *
 * @throws ConfigError if it is not such an object.
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

/** Parse JSON. Undefined if the text is not JSON. */
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
