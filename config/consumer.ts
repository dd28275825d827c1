import type { ParsedConsumer } from "./parsed.ts";
import { complain, isObjectOf, orOneOf, type Place, readList, readText, within } from "./place.ts";

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

/** What a consumer may be given of a database: in which key it is, and what to write. */
interface Given {
  readonly key: "roles" | "secrets";
  readonly what: "role" | "secret";
  readonly fault: string;
  readonly example: string;
}
const ROLE: Given = {
  key: "roles",
  what: "role",
  fault: "is not a grant",
  example: "orders/readonly",
};
const SECRET: Given = {
  key: "secrets",
  what: "secret",
  fault: "is not a rotated secret",
  example: "orders/reports",
};

function readGiven(place: Place, databases: Place, given: Given): string | undefined {
  const { key, what, fault, example } = given;
  const [database = "", name = "", ...rest] =
    typeof place.value === "string" ? place.value.split("/") : [];
  if (database === "" || name === "" || rest.length > 0)
    return complain(place, fault, `write "database/${what}", e.g. "${example}"`);
  const there = within(databases, database);
  const all = within(there, key);
  if (within(all, name).value !== undefined) return `${database}/${name}`;
  if (there.value === undefined)
    return complain(
      place,
      "names no database of this configuration",
      "add the database or correct it",
    );
  return complain(place, `names no ${what} of that database`, orOneOf(`add the ${what}`, all));
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

/** Read `roles` or `secrets`, each as the two parts of its name. */
const readAll = (place: Place, databases: Place, given: Given): readonly [string, string][] =>
  readList(
    place,
    given === ROLE
      ? 'list grants, e.g. ["orders/readonly"]'
      : `list secrets, e.g. ["${SECRET.example}"]`,
    (element) => readGiven(element, databases, given),
  ).map((text) => {
    const [database = "", name = ""] = text.split("/");
    return [database, name];
  });

/** Read one consumer; `databases` is where its grants must be found. */
export function readConsumer(place: Place, databases: Place): ParsedConsumer | undefined {
  const remedy = "describe the consumer, with roles and roleArn, newRole or sandbox";
  if (!isObjectOf(place, [...IDENTITIES, "roles", "secrets"], remedy)) return undefined;
  const principal = readPrincipal(place);
  const [roles, secrets] = [within(place, "roles"), within(place, "secrets")];
  const hasSecrets = secrets.value !== undefined;
  // a function in a sandbox asks for its first role; others may do with a secret
  const mayHaveNone = hasSecrets && !("sandbox" in principal) && roles.value === undefined;
  const grants = (mayHaveNone ? [] : readAll(roles, databases, ROLE)).map(([database, role]) => ({
    database,
    role,
  }));
  if ("sandbox" in principal) checkSandbox(roles, databases, grants);
  const readable = (hasSecrets ? readAll(secrets, databases, SECRET) : []).map(
    ([database, secret]) => ({ database, secret }),
  );
  return { principal, grants, secrets: readable };
}
