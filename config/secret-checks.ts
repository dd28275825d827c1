import { checkExisting, isManagedByRds } from "./existing-secret.ts";
import type { ParsedHost, ParsedSecret } from "./parsed.ts";
import { complain, orOneOf, type Place, within } from "./place.ts";

/**
 * What keeps a secret from standing beside the others of its database, in words; `undefined` when
 * nothing does.
 */
export function clashOf(
  secret: ParsedSecret,
  others: Iterable<readonly [string, ParsedSecret]>,
  owner: string,
): string | undefined {
  const { ownerGroup } = secret;
  const isUser = (name: string): boolean => secret.usernames.includes(name);
  // an administrator may own the tables: nobody is made, and nothing lent
  if (secret.strategy !== "master-user" && isUser(owner))
    return `"${owner}" is the owner of the tables, and no user of a secret; write another user`;
  if (ownerGroup !== undefined && isUser(ownerGroup))
    return `"${ownerGroup}" is the role whose privileges are lent; write another user`;
  for (const [name, other] of others) {
    if (secret.strategy === "master-user" && other.strategy === "master-user")
      return `the administrator is rotated by "${name}" already; remove one`;
    const shared = secret.usernames.find(
      (each) => other.usernames.includes(each) || each === other.ownerGroup,
    );
    if (shared !== undefined)
      return `"${shared}" is a role of the secret "${name}" too; write another user`;
    if (ownerGroup !== undefined && other.usernames.includes(ownerGroup))
      return `"${ownerGroup}" is a user of the secret "${name}", and lends nobody its privileges; write another ownerGroup`;
  }
  return undefined;
}

/** The administrator's secret is rotated where it is: it must be known which, and be ours to rotate. */
function checkMaster(place: Place, secretAt: Place, target: ParsedHost | undefined): void {
  const username = within(secretAt, "username");
  if (within(place, "sandbox").value === true && username.value !== undefined)
    complain(username, "is not said in a sandbox, which has its own administrator", "remove it");
  if (target === undefined) return;
  if (username.value === undefined)
    complain(username, "is nobody", "write the administrator's name, as it is in the secret");
  const strategy = within(secretAt, "strategy");
  if (target.cluster === undefined && target.instance === undefined)
    complain(
      strategy,
      "needs RDS, which sets the password",
      "add the instance or the cluster that host is, or remove this secret",
    );
  const admin = within(place, "adminSecret");
  if (isManagedByRds(target.adminSecret))
    complain(
      admin,
      "is rotated by RDS, which made it",
      `remove ${secretAt.path}, or let RDS manage the password no longer`,
    );
  else if (target.adminSecret !== "" && !target.adminSecret.startsWith("arn:"))
    complain(
      admin,
      "is a name, and a rotation needs the one secret that it is",
      "write its complete ARN",
    );
}

/** Check the secrets of one database against each other and against all else that it has. */
export function checkSecrets(
  place: Place,
  secrets: Readonly<Record<string, ParsedSecret>>,
  { owner, target }: { readonly owner: string; readonly target: ParsedHost | undefined },
): void {
  const secretsAt = within(place, "secrets");
  const roles = within(place, "roles");
  const seen = new Map<string, ParsedSecret>();
  for (const [name, secret] of Object.entries(secrets)) {
    const at = within(secretsAt, name);
    const clash = clashOf(secret, seen, owner);
    if (clash !== undefined) place.problems.push(`${at.path}: ${clash}`);
    seen.set(name, secret);
    if (secret.role !== undefined && within(roles, secret.role).value === undefined)
      complain(
        within(at, "role"),
        "is no role of this database",
        `${orOneOf("add the role", roles)}, or give ownerGroup`,
      );
    if (secret.strategy === "master-user") checkMaster(place, at, target);
    else checkExisting(place, at, target);
  }
}
