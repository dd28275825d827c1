import { type ConsumerFields, splitName } from "./consumer.ts";
import { hasName, type IsFine, orOneOf, type Report, says } from "./schema/fields.ts";

/** What the checks know about a database whose roles and secrets are given to consumers. */
interface Given {
  readonly sandbox?: unknown;
  readonly roles?: unknown;
  readonly secrets?: unknown;
}

type Databases = Readonly<Record<string, Given>>;

/** What is wrong with one name such as `orders/readonly`. Undefined if the name is right. */
function faultOf(
  name: string,
  databases: Databases,
  [key, what]: readonly ["roles" | "secrets", string],
): string | undefined {
  const [database, entry] = splitName(name);
  const found = Object.hasOwn(databases, database) ? databases[database] : undefined;
  if (found === undefined)
    return says("names no database of this configuration", "add the database or correct it");
  if (hasName(found[key], entry)) return undefined;
  return says(`names no ${what} of that database`, orOneOf(`add the ${what}`, found[key]));
}

/** A function in a sandbox's VPC can reach only that sandbox. */
function faultOfSandbox(roles: readonly string[], databases: Databases): string | undefined {
  const named = [...new Set(roles.map((role) => splitName(role)[0]))];
  const elsewhere = named.find((database) => databases[database]?.sandbox !== true);
  if (elsewhere !== undefined)
    return says(
      `is not in a sandbox: ${elsewhere} is an existing server`,
      "name roles of a database with sandbox: true, or give roleArn or newRole",
    );
  if (named.length <= 1) return undefined;
  return says(
    "names more than one sandbox, and each has its own VPC",
    "name roles of one database",
  );
}

/** Check that everything a consumer is given is in the configuration. */
export function checkAccess(
  consumer: ConsumerFields,
  databases: Databases,
  report: Report,
  isFine: IsFine,
): void {
  let allKnown = isFine("roles");
  for (const [key, what] of [
    ["roles", "role"],
    ["secrets", "secret"],
  ] as const)
    for (const [index, name] of (consumer[key] ?? []).entries()) {
      if (!isFine(key, index)) continue;
      const fault = faultOf(name, databases, [key, what]);
      if (fault === undefined) continue;
      report([key, index], fault);
      if (key === "roles") allKnown = false;
    }
  if (consumer.sandbox !== true || !allKnown) return;
  const fault = faultOfSandbox(consumer.roles ?? [], databases);
  if (fault !== undefined) report(["roles"], fault);
}
