import { complain, isObjectOf, type Place, readList, readText, within } from "./place.ts";
import type { ParsedConsumer } from "./types.ts";

const ROLE_ARN = /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;
const SERVICE = /^[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?$/;

const IDENTITIES = ["roleArn", "newRole", "sandbox"];

function readPrincipal(place: Place): ParsedConsumer["principal"] {
  const given = IDENTITIES.filter((key) => within(place, key).value !== undefined);
  if (given.length !== 1) {
    place.problems.push(
      `${place.path}: needs roleArn, newRole or sandbox, one of the three; give the ARN of a role, or newRole: { assumedBy: "account" }`,
    );
    return { roleArn: "" };
  }
  if (given.includes("sandbox")) return readSandbox(within(place, "sandbox"));
  return given.includes("newRole")
    ? readNewRole(within(place, "newRole"))
    : readRoleArn(within(place, "roleArn"));
}

function readSandbox(place: Place): ParsedConsumer["principal"] {
  if (place.value !== true)
    complain(place, "is not true", "write true, or remove it and give roleArn or newRole");
  return { sandbox: true };
}

function readRoleArn(place: Place): ParsedConsumer["principal"] {
  const remedy = "write the role's own ARN, e.g. arn:aws:iam::111122223333:role/reporting";
  const valid = (text: string): boolean => ROLE_ARN.test(text);
  return { roleArn: readText(place, valid, "is not a role's ARN", remedy) ?? "" };
}

function readNewRole(place: Place): ParsedConsumer["principal"] {
  if (!isObjectOf(place, ["assumedBy"], 'write { assumedBy: "account" }')) return { assumedBy: "" };
  const assumedBy = readText(
    within(place, "assumedBy"),
    (text) => text === "account" || SERVICE.test(text),
    "cannot assume a role",
    'write "account" or a service such as "ecs-tasks.amazonaws.com"',
  );
  return { assumedBy: assumedBy ?? "" };
}

function readGrant(place: Place, databases: Place): string | undefined {
  const [database = "", role = "", ...rest] =
    typeof place.value === "string" ? place.value.split("/") : [];
  if (database === "" || role === "" || rest.length > 0)
    return complain(place, "is not a grant", 'write "database/role", e.g. "orders/readonly"');
  const roles = within(within(databases, database), "roles");
  if (within(roles, role).value !== undefined) return `${database}/${role}`;
  const known = typeof roles.value === "object" && roles.value !== null ? roles.value : undefined;
  return known === undefined
    ? complain(place, "names no database of this configuration", "add the database or correct it")
    : complain(
        place,
        "names no role of that database",
        `add the role, or name one of ${Object.keys(known).join(", ")}`,
      );
}

/** A function in a sandbox's VPC reaches that sandbox and nothing else. */
function checkSandbox(roles: Place, databases: Place, grants: ParsedConsumer["grants"]): void {
  const elsewhere = grants.find(
    ({ database }) => within(within(databases, database), "sandbox").value !== true,
  );
  if (elsewhere !== undefined)
    complain(
      roles,
      `is not of a sandbox: ${elsewhere.database} is a server that exists`,
      "name roles of a database with sandbox: true, or give roleArn or newRole",
    );
  else if (new Set(grants.map(({ database }) => database)).size > 1)
    complain(
      roles,
      "is of more than one sandbox, and each has a VPC of its own",
      "name roles of one database",
    );
}

/** Read one consumer; `databases` is where its grants must be found. */
export function readConsumer(place: Place, databases: Place): ParsedConsumer | undefined {
  const remedy = "describe the consumer, with roles and roleArn, newRole or sandbox";
  if (!isObjectOf(place, [...IDENTITIES, "roles"], remedy)) return undefined;
  const principal = readPrincipal(place);
  const roles = within(place, "roles");
  const named = readList(roles, 'list grants, e.g. ["orders/readonly"]', (element) =>
    readGrant(element, databases),
  );
  const grants = named.map((grant) => {
    const [database = "", role = ""] = grant.split("/");
    return { database, role };
  });
  if ("sandbox" in principal) checkSandbox(roles, databases, grants);
  return { principal, grants };
}
