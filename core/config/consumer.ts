import { complain, isObjectOf, type Place, readList, readText, within } from "./place.ts";
import type { ParsedConsumer } from "./types.ts";

const ROLE_ARN = /^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;
const SERVICE = /^[a-z0-9.-]+\.amazonaws\.com(?:\.cn)?$/;

function readPrincipal(place: Place): ParsedConsumer["principal"] {
  const [roleArn, newRole] = [within(place, "roleArn"), within(place, "newRole")];
  if ((roleArn.value === undefined) === (newRole.value === undefined)) {
    place.problems.push(
      `${place.path}: needs roleArn or newRole, one of the two; give the ARN of a role, or newRole: { assumedBy: "account" }`,
    );
    return { roleArn: "" };
  }
  if (newRole.value === undefined) {
    const remedy = "write the role's own ARN, e.g. arn:aws:iam::111122223333:role/reporting";
    return {
      roleArn:
        readText(roleArn, (text) => ROLE_ARN.test(text), "is not a role's ARN", remedy) ?? "",
    };
  }
  if (!isObjectOf(newRole, ["assumedBy"], 'write { assumedBy: "account" }'))
    return { assumedBy: "" };
  const assumedBy = readText(
    within(newRole, "assumedBy"),
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

/** Read one consumer; `databases` is where its grants must be found. */
export function readConsumer(place: Place, databases: Place): ParsedConsumer | undefined {
  const remedy = "describe the consumer, with roles and roleArn or newRole";
  if (!isObjectOf(place, ["roleArn", "newRole", "roles"], remedy)) return undefined;
  const principal = readPrincipal(place);
  const grants = readList(
    within(place, "roles"),
    'list grants, e.g. ["orders/readonly"]',
    (element) => readGrant(element, databases),
  );
  return {
    principal,
    grants: grants.map((grant) => {
      const [database = "", role = ""] = grant.split("/");
      return { database, role };
    }),
  };
}
