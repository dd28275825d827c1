import { connectionsOfLogin } from "../core/concurrency.ts";
import type { Deployment, Grant } from "../core/leases/deployment.ts";
import { aliasName, groupRoleName, ISSUER_SECRET, JANITOR_SECRET } from "../core/names.ts";
import type { ProvisionPlan } from "../core/provisioning/plan.ts";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import type { RotatedUser } from "../core/rotation/settings.ts";
import type { ParsedConfig } from "./config.ts";
import type { ParsedSettings } from "./database.ts";
import type { ParsedRole } from "./role.ts";
import type { ParsedSecret } from "./secret.ts";
import { type ParsedTrust, toTrust } from "./trust.ts";

/** Everything that a configuration or constructs say about one database. */
export interface DatabaseModel {
  readonly database: string;
  readonly tag: string;
  readonly settings: ParsedSettings & ParsedTrust;
  readonly roles: ReadonlyMap<string, ParsedRole>;
  /** By alias. */
  readonly grants: ReadonlyMap<string, Grant>;
  /** Rotated secrets, without Mayfly's own. */
  readonly secrets: ReadonlyMap<string, ParsedSecret>;
  readonly loginRotation: RotationTimes;
  /** Aliases have no resource policy. */
  readonly aliasUnsealed: boolean;
}

/**
 * Everything that a configuration says about one database. Undefined if there is no such database.
 */
export function modelOf(
  { databases, consumers, aliasUnsealed }: ParsedConfig,
  database: string,
  tag: string,
): DatabaseModel | undefined {
  const found = databases[database];
  if (found === undefined) return undefined;
  const grants = Object.entries(consumers).flatMap(([consumer, each]) =>
    each.grants
      .filter((grant) => grant.database === database)
      .map(({ role }) => [aliasName(consumer, role), { consumer, role }] as const),
  );
  return {
    database,
    tag,
    settings: { ...found, ...toTrust(found.target ?? { tls: "verify-full" }) },
    roles: new Map(Object.entries(found.roles)),
    grants: new Map(grants),
    secrets: new Map(Object.entries(found.secrets)),
    loginRotation: found.loginRotation,
    aliasUnsealed,
  };
}

/**
 * The role whose privileges a secret's users have. Undefined if Mayfly does not create the users.
 */
export const groupOf = (
  tag: string,
  { role, ownerGroup }: Pick<ParsedSecret, "role" | "ownerGroup">,
): string | undefined => (role === undefined ? ownerGroup : groupRoleName(tag, role));

function rotatedUser(tag: string, secret: ParsedSecret): RotatedUser | undefined {
  const { strategy, usernames } = secret;
  const group = groupOf(tag, secret);
  if (group === undefined || strategy === "master-user") return undefined;
  return { strategy, usernames, group };
}

function rotatedUsersOf({ tag, secrets }: DatabaseModel): ProvisionPlan["rotatedUsers"] {
  const users = Object.entries(sorted(secrets, (_, secret) => rotatedUser(tag, secret)));
  const made = users.flatMap(([name, user]) => (user === undefined ? [] : [[name, user] as const]));
  return made.length === 0 ? undefined : Object.fromEntries(made);
}

/**
 * The content of `deployment.json`, which the functions read. Only the sweeper's has
 * `rotatedSecrets`.
 */
export const toDeployment = ({
  database,
  tag,
  settings,
  grants,
  secrets,
  loginRotation,
  aliasUnsealed,
}: DatabaseModel): Deployment => ({
  database,
  tag,
  maintenanceDatabase: settings.maintenanceDatabase,
  shards: settings.shards,
  ...toTrust(settings),
  ...(aliasUnsealed && { aliasUnsealed }),
  grants: sorted(grants, (_, grant) => grant),
  rotatedSecrets: sorted(
    new Map([
      [ISSUER_SECRET, loginRotation],
      [JANITOR_SECRET, loginRotation],
      ...[...secrets].map(([name, { times }]) => [name, times] as const),
    ]),
    (_, { periodSeconds }) => ({ periodSeconds }),
  ),
});

/** The plan that the provisioner applies. */
export const toPlan = (model: DatabaseModel): ProvisionPlan => {
  const { database, tag, settings, roles, grants, aliasUnsealed } = model;
  const rotatedUsers = rotatedUsersOf(model);
  return {
    database,
    tag,
    shards: settings.shards,
    ...toTrust(settings),
    owner: settings.owner,
    databases: settings.databases,
    maintenanceDatabase: settings.maintenanceDatabase,
    loginConnectionLimit: connectionsOfLogin(settings.reserveConcurrency),
    roles: sorted(roles, (name, { privileges, ...limits }) => ({
      groupRole: groupRoleName(tag, name),
      privileges,
      ...limits,
    })),
    ...(rotatedUsers !== undefined && { rotatedUsers }),
    ...(settings.watch !== undefined && { watch: settings.watch.toSorted() }),
    ...(aliasUnsealed && { aliasUnsealed }),
    grants: Object.values(sorted(grants, (_, grant) => grant)),
  };
};

/** Sorted by name, so that the order of the calls does not matter. */
const sorted = <From, To>(
  entries: ReadonlyMap<string, From>,
  render: (name: string, each: From) => To,
): Record<string, To> =>
  Object.fromEntries(
    [...entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, render(name, each)]),
  );
