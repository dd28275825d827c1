import { AwsRefusedError, ConfigError } from "../../../../core/errors.ts";
import type { ProvisionPlan } from "../../../../core/provisioning/plan.ts";
import type { Secret } from "../../../../core/secret.ts";
import type { SecretObject, SecretStore } from "../../../../core/secret-store.ts";
import type { Login } from "../../connection/login.ts";
import { LIMITS } from "../limits.ts";
import { type HeldLogin, heldBy } from "./login-secrets.ts";
import { isKnown } from "./logins.ts";

interface Deps {
  /** The ARNs, by name. */
  readonly rotatedSecrets: Readonly<Record<string, string>>;
  readonly secrets: Pick<SecretStore, "getSecret">;
}

/** The user in a rotated secret. */
export interface RotatedLogin extends HeldLogin {
  readonly arn: string;
}

/** The logins in the secrets of a plan's users, and the secrets' problems. */
export async function rotatedLogins(
  { rotatedSecrets, secrets }: Deps,
  { rotatedUsers = {} }: ProvisionPlan,
): Promise<{ readonly logins: readonly RotatedLogin[]; readonly problems: readonly string[] }> {
  const logins: RotatedLogin[] = [];
  const problems: string[] = [];
  for (const [name, { usernames }] of Object.entries(rotatedUsers)) {
    const arn = rotatedSecrets[name];
    if (arn === undefined) {
      problems.push(
        `the function's environment has no ARN for the rotated secret "${name}"; deploy the stack again`,
      );
      continue;
    }
    try {
      const value = (await secrets.getSecret(arn))?.value;
      problems.push(...secretProblems(`the rotated secret "${name}" (${arn})`, usernames, value));
      logins.push(...heldBy(value).map((login) => ({ ...login, arn })));
    } catch (error) {
      if (!(error instanceof ConfigError || error instanceof AwsRefusedError)) throw error;
      problems.push(error.message);
    }
  }
  return { logins, problems };
}

function secretProblems(
  what: string,
  usernames: readonly string[],
  value: SecretObject | undefined,
): readonly string[] {
  if (value === undefined)
    return [`${what} has no version AWSCURRENT; put one with the keys username and password`];
  const { username, password } = value;
  const names = usernames.map((name) => JSON.stringify(name)).join(" or ");
  return [
    ...(usernames.some((name) => name === username)
      ? []
      : [
          `${what} must have the key username, ${names}, got ${JSON.stringify(username)}; put a version that does, or correct the configuration`,
        ]),
    ...(password === undefined || password.reveal() === ""
      ? [`${what} must have the key password, a text; put a version that does`]
      : []),
  ];
}

/** The versions that a rotation moves a password through. */
const STAGES = ["AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"] as const;

/** The version of a secret whose password the server accepts. */
export interface KnownPassword {
  readonly stage: (typeof STAGES)[number];
  readonly password: Secret;
}

/** Attempts: a rotation that ends meanwhile moves the labels, but rotations are hours apart. */
const LOOKS = 3;

/**
 * Find the first version that holds a user's password. Undefined if no version does, and no
 * rotation ended while the versions were tried.
 */
export async function knownPassword(
  { secrets }: { readonly secrets: Pick<SecretStore, "getSecret"> },
  arn: string,
  user: Omit<Login, "password">,
  stages: readonly KnownPassword["stage"][] = STAGES,
): Promise<KnownPassword | undefined> {
  for (let left = LOOKS; ; left--) {
    const before = (await secrets.getSecret(arn))?.versionId;
    for (const stage of stages) {
      const held = heldBy((await secrets.getSecret(arn, { stage }))?.value);
      const found = held.find(({ username }) => username === user.username);
      if (found !== undefined && (await isKnown({ ...user, ...found }, LIMITS)))
        return { stage, password: found.password };
    }
    if (left === 1 || (await secrets.getSecret(arn))?.versionId === before) return undefined;
  }
}
