import { leaseVariable } from "../../../core/names.ts";
import { KeeperError } from "../errors.ts";
import { issuer } from "./issuer.ts";
import type { LeaseSource } from "./lease-source.ts";

const PREFIX = "MAYFLY_LEASE_";
/** A database and a role: `MAYFLY_LEASE_ID` is something else. */
const OF_ROLE = /^MAYFLY_LEASE_[A-Z0-9]+_[A-Z0-9_]+$/;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The ARN of an issuer's alias, as the constructs set it in the environment.
 *
 * @param name the role as `<database>/<role>`. Undefined: the only one that the environment has.
 * @throws KeeperError with `invalid` if there is none, or there are several and no name.
 */
export function aliasFromEnvironment(
  name?: string,
  environment: Environment = process.env,
): string {
  const isSet = (variable: string): boolean => (environment[variable] ?? "") !== "";
  if (name !== undefined) {
    const variable = leaseVariable(name);
    if (isSet(variable)) return environment[variable] ?? "";
    throw new KeeperError(
      "invalid",
      `${variable} is not set: set it to the ARN of the issuer's alias for ${name}, or use addConsumer`,
    );
  }
  const [variable, ...others] = Object.keys(environment)
    .filter((each) => OF_ROLE.test(each) && isSet(each))
    .sort();
  if (variable === undefined)
    throw new KeeperError(
      "invalid",
      `no variable ${PREFIX}<DATABASE>_<ROLE> is set: set one to the ARN of an issuer's alias, or use addConsumer`,
    );
  if (others.length === 0) return environment[variable] ?? "";
  throw new KeeperError(
    "invalid",
    `${others.length + 1} leases in the environment: name one as <database>/<role>, of ${[variable, ...others].join(", ")}`,
  );
}

/** The issuer that the environment names. Parameters and errors: {@link aliasFromEnvironment}. */
export const fromEnvironment = (name?: string, environment?: Environment): LeaseSource =>
  issuer(aliasFromEnvironment(name, environment));
