import { ConfigError } from "../core/errors.ts";

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
