import type {
  ParsedConfig,
  ParsedRole,
  ParsedSecret,
  ParsedSettings,
  ParsedTrust,
} from "../config/parsed.ts";
import { connectionsOfLogin } from "../core/concurrency.ts";
import type { Deployment, Grant } from "../core/leases/deployment.ts";
import { aliasName, groupRoleName, ISSUER_SECRET, JANITOR_SECRET } from "../core/names.ts";
import type { ProvisionPlan } from "../core/provisioning/plan.ts";
import type { RotationTimes } from "../core/rotation/schedule.ts";
import type { RotatedUser } from "../core/rotation/settings.ts";

/** All that a stack has said about one database, once everything has been added. */
export interface Declared {
  readonly database: string;
  readonly tag: string;
  readonly settings: ParsedSettings & ParsedTrust;
  readonly roles: ReadonlyMap<string, ParsedRole>;
  /** By alias. */
  readonly grants: ReadonlyMap<string, Grant>;
  /** Rotated secrets, the issuer's apart. */
  readonly secrets: ReadonlyMap<string, ParsedSecret>;
  readonly loginRotation: RotationTimes;
}

/** All that a configuration says about one of its databases; `undefined` when it has none such. */
export function declaredIn(
  { databases, consumers }: ParsedConfig,
  database: string,
  tag: string,
): Declared | undefined {
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
    settings: { ...found, ...trustOf(found.target ?? { tls: "verify-full" }) },
    roles: new Map(Object.entries(found.roles)),
    grants: new Map(grants),
    secrets: new Map(Object.entries(found.secrets)),
    loginRotation: found.loginRotation,
  };
}

/** The NOLOGIN role of whose privileges a secret's users are; none where nobody makes them. */
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

function rotatedUsersOf({ tag, secrets }: Declared): ProvisionPlan["rotatedUsers"] {
  const users = Object.entries(sorted(secrets, (_, secret) => rotatedUser(tag, secret)));
  const made = users.flatMap(([name, user]) => (user === undefined ? [] : [[name, user] as const]));
  return made.length === 0 ? undefined : Object.fromEntries(made);
}

/** What the functions read: `deployment.json`. `rotatedSecrets` is the sweeper's alone. */
export const deploymentOf = ({
  database,
  tag,
  settings,
  grants,
  secrets,
  loginRotation,
}: Declared): Deployment => ({
  database,
  tag,
  maintenanceDatabase: settings.maintenanceDatabase,
  shards: settings.shards,
  ...trustOf(settings),
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

/** What the provisioner makes true. */
export const planOf = (declared: Declared): ProvisionPlan => {
  const { database, tag, settings, roles, grants } = declared;
  const rotatedUsers = rotatedUsersOf(declared);
  return {
    database,
    tag,
    shards: settings.shards,
    ...trustOf(settings),
    owner: settings.owner,
    databases: settings.databases,
    maintenanceDatabase: settings.maintenanceDatabase,
    loginConnectionLimit: connectionsOfLogin(settings.reserveConcurrency),
    roles: sorted(roles, (name, role) => ({
      groupRole: groupRoleName(tag, name),
      privileges: role.privileges,
      ...(role.allowCreate === true && { allowCreate: true }),
      ttlSeconds: role.ttlSeconds,
      maxTtlSeconds: role.maxTtlSeconds,
      maxLeases: role.maxLeases,
      maxLeasesPerConsumer: role.maxLeasesPerConsumer,
      connectionLimit: role.connectionLimit,
    })),
    ...(rotatedUsers !== undefined && { rotatedUsers }),
    grants: Object.values(sorted(grants, (_, grant) => grant)),
  };
};

const trustOf = ({ tls, ca }: ParsedTrust): ParsedTrust => ({
  tls,
  ...(ca !== undefined && { ca }),
});

/** By name, so that the order of the calls changes nothing. */
const sorted = <From, To>(
  entries: ReadonlyMap<string, From>,
  render: (name: string, each: From) => To,
): Record<string, To> =>
  Object.fromEntries(
    [...entries]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, each]) => [name, render(name, each)]),
  );
