import type { ParsedDatabase, ParsedHost, ParsedSecret } from "./parsed.ts";
import { complain, type Place, readText, within } from "./place.ts";

/** Names of secrets that RDS made, and rotates itself. */
export const isManagedByRds = (nameOrArn: string): boolean => /(?:^|:secret:)rds!/.test(nameOrArn);

/** An ARN of a secret with the six characters at its end, which alone make it one secret's. */
export const isCompleteArn = (text: string): boolean =>
  /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:\S+-[A-Za-z0-9]{6}$/.test(text);

/** What is said when a secret is made, and of no other. */
const OF_NEW = ["kmsKeyArn", "replicaRegions"];

/** Read `secretArn`, the secret to rotate where it is; none is made then. */
export function readExisting(place: Place): Pick<ParsedSecret, "secretArn"> {
  const at = within(place, "secretArn");
  if (at.value === undefined) return {};
  for (const key of OF_NEW.map((name) => within(place, name)))
    if (key.value !== undefined)
      complain(
        key,
        "is of a secret that is made, and secretArn names one that exists",
        "remove it: that secret keeps its own",
      );
  const secretArn = readText(
    at,
    isCompleteArn,
    "is not the complete ARN of a secret",
    'write it with the six characters at its end, as in "arn:aws:secretsmanager:eu-west-1:111122223333:secret:reports-AbCdEf"',
  );
  if (secretArn === undefined) return {};
  if (isManagedByRds(secretArn))
    complain(
      at,
      "is rotated by RDS, which made it",
      "remove this secret, or let RDS manage the password no longer",
    );
  return { secretArn };
}

/** Check an existing secret against the server of its database. */
export function checkExisting(
  place: Place,
  secretAt: Place,
  target: Pick<ParsedHost, "adminSecret"> | undefined,
): void {
  const at = within(secretAt, "secretArn");
  if (at.value === undefined) return;
  if (within(place, "sandbox").value === true)
    complain(
      at,
      "is of another server than a sandbox, which is made with the stack",
      "remove it, and a secret is made",
    );
  else if (at.value === target?.adminSecret)
    complain(
      at,
      "is adminSecret, the administrator's",
      'write strategy: "master-user" without it, or name another',
    );
}

/** One secret has one function: two would undo each other's rotations. */
export function checkExistingOnce(
  place: Place,
  databases: Readonly<Record<string, Pick<ParsedDatabase, "secrets">>>,
): void {
  const seen = new Map<string, string>();
  for (const [database, { secrets }] of Object.entries(databases))
    for (const [name, { secretArn }] of Object.entries(secrets)) {
      if (secretArn === undefined) continue;
      const at = within(within(within(within(place, database), "secrets"), name), "secretArn");
      const other = seen.get(secretArn);
      if (other !== undefined)
        complain(at, `is rotated as "${other}" already`, "remove one of the two");
      seen.set(secretArn, `${database}/${name}`);
    }
}
