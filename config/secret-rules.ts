import { isManagedByRds } from "./existing-secret.ts";
import { hasName, type IsFine, orOneOf, type Report, says } from "./schema/fields.ts";
import { checkPasswordInCluster, type ParsedSecret, type SecretFields } from "./secret.ts";

type Users = Pick<ParsedSecret, "strategy" | "usernames" | "ownerGroup">;

/**
 * The conflict between a secret and the other secrets of its database, in words. Undefined if there
 * is none.
 */
export function clashOf(
  secret: Users,
  others: Iterable<readonly [string, Users]>,
  owner: string | undefined,
): string | undefined {
  const { ownerGroup } = secret;
  const isUser = (name: string | undefined): boolean =>
    name !== undefined && secret.usernames.includes(name);
  // an administrator may own the tables: Mayfly creates no user and grants nothing
  if (secret.strategy !== "master-user" && isUser(owner))
    return `"${owner}" owns the tables and cannot be the user of a secret; choose another user`;
  if (isUser(ownerGroup))
    return `"${ownerGroup}" is the ownerGroup and cannot be the user of a secret; choose another user`;
  for (const [name, other] of others) {
    if (secret.strategy === "master-user" && other.strategy === "master-user")
      return `the administrator is rotated by "${name}" already; remove one`;
    const shared = secret.usernames.find(
      (each) => other.usernames.includes(each) || each === other.ownerGroup,
    );
    if (shared !== undefined)
      return `"${shared}" is a role of the secret "${name}" too; write another user`;
    if (ownerGroup !== undefined && other.usernames.includes(ownerGroup))
      return `"${ownerGroup}" is a user of the secret "${name}", and cannot be an ownerGroup; choose another ownerGroup`;
  }
  return undefined;
}

/** What the secrets of a database are checked against. */
export interface DatabaseOfSecrets {
  readonly sandbox?: true | undefined;
  readonly owner: string;
  readonly roles: unknown;
  readonly secrets?: Readonly<Record<string, SecretFields>> | undefined;
  readonly adminSecret?: string | undefined;
  readonly cluster?: string | undefined;
  readonly instance?: string | undefined;
}

/**
 * The administrator's secret is rotated in place: it must be known, and Mayfly must be allowed to
 * rotate it.
 */
function checkMaster(
  [name, secret]: readonly [string, SecretFields],
  database: DatabaseOfSecrets,
  report: Report,
): void {
  const { sandbox, adminSecret = "", cluster, instance } = database;
  const at = ["secrets", name];
  if (sandbox === true && secret.username !== undefined)
    report(
      [...at, "username"],
      says("is not allowed in a sandbox, which has its own administrator", "remove it"),
    );
  if (sandbox === true) return;
  if (secret.username === undefined)
    report(
      [...at, "username"],
      says("is missing", "write the administrator's name, as it is in the secret"),
    );
  if (cluster === undefined && instance === undefined)
    report(
      [...at, "strategy"],
      says(
        "needs RDS, which sets the password",
        "add the instance or the cluster that host is, or remove this secret",
      ),
    );
  if (isManagedByRds(adminSecret))
    report(
      ["adminSecret"],
      says(
        "is rotated by RDS, which made it",
        `remove the secret "${name}", or let RDS manage the password no longer`,
      ),
    );
  else if (adminSecret !== "" && !adminSecret.startsWith("arn:"))
    report(
      ["adminSecret"],
      says("is a name, and a rotation needs an ARN", "write its complete ARN"),
    );
}

/** An existing secret must belong to the database's server, and must not be the administrator's. */
function checkExisting(
  [name, { secretArn }]: readonly [string, SecretFields],
  { sandbox, adminSecret }: DatabaseOfSecrets,
  report: Report,
): void {
  if (secretArn === undefined) return;
  const at = ["secrets", name, "secretArn"];
  if (sandbox === true)
    report(
      at,
      says(
        "names an existing secret, but the stack creates all secrets of a sandbox",
        "remove it, and Mayfly creates a secret",
      ),
    );
  else if (secretArn === adminSecret)
    report(
      at,
      says(
        "is adminSecret, the administrator's",
        'write strategy: "master-user" without it, or name another',
      ),
    );
}

/** The valid users of a secret. */
const usersOf = (name: string, secret: SecretFields, isFine: IsFine): Users => {
  const { strategy, username, usernames = [], ownerGroup } = secret;
  const fine = (key: string): boolean => isFine("secrets", name, key);
  return {
    strategy,
    usernames: [
      ...(username !== undefined && fine("username") ? [username] : []),
      ...(fine("usernames") ? usernames : []),
    ],
    ...(ownerGroup !== undefined && fine("ownerGroup") && { ownerGroup }),
  };
};

/** Check the secrets of one database against each other and against the rest of the database. */
export function checkSecrets(database: DatabaseOfSecrets, report: Report, isFine: IsFine): void {
  const seen = new Map<string, Users>();
  const owner = isFine("owner") ? database.owner : undefined;
  for (const [name, secret] of Object.entries(database.secrets ?? {})) {
    if (!isFine("secrets", name, "strategy")) continue;
    const users = usersOf(name, secret, isFine);
    const clash = clashOf(users, seen, owner);
    if (clash !== undefined) report(["secrets", name], clash);
    seen.set(name, users);
    const { role } = secret;
    if (role !== undefined && isFine("secrets", name, "role") && !hasName(database.roles, role))
      report(
        ["secrets", name, "role"],
        says(
          "is not a role of this database",
          `${orOneOf("add the role", database.roles)}, or give ownerGroup`,
        ),
      );
    if (secret.strategy === "master-user") checkMaster([name, secret], database, report);
    else checkExisting([name, secret], database, report);
    if (database.cluster !== undefined && isFine("secrets", name, "passwordLength"))
      checkPasswordInCluster(secret, ([key = ""], message) =>
        report(["secrets", name, key], message),
      );
  }
}
