import { connectionsOfLogin } from "./concurrency.ts";
import type { ParsedConfig, ParsedRole, ParsedSettings, ParsedTrust } from "./config/types.ts";
import type { Deployment, Grant } from "./deployment.ts";
import { aliasName, groupRoleName } from "./names.ts";
import type { ProvisionPlan } from "./provisioning/plan.ts";

/** All that a stack has said about one database, once everything has been added. */
export interface Declared {
  readonly database: string;
  readonly tag: string;
  readonly settings: ParsedSettings & ParsedTrust;
  readonly roles: ReadonlyMap<string, ParsedRole>;
  /** By alias. */
  readonly grants: ReadonlyMap<string, Grant>;
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
  };
}

/** What the functions read: `deployment.json`. */
export const deploymentOf = ({ database, tag, settings, roles, grants }: Declared): Deployment => ({
  database,
  tag,
  shards: settings.shards,
  ...trustOf(settings),
  roles: sorted(roles, (name, role) => ({
    groupRole: groupRoleName(tag, name),
    dbname: settings.databases[0] ?? "",
    ttlSeconds: role.ttlSeconds,
    maxTtlSeconds: role.maxTtlSeconds,
    maxLeases: role.maxLeases,
    maxLeasesPerConsumer: role.maxLeasesPerConsumer,
    connectionLimit: role.connectionLimit,
  })),
  grants: sorted(grants, (_, grant) => grant),
});

/** What the provisioner makes true. */
export const planOf = ({ database, tag, settings, roles, grants }: Declared): ProvisionPlan => ({
  database,
  tag,
  shards: settings.shards,
  ...trustOf(settings),
  owner: settings.owner,
  databases: settings.databases,
  loginConnectionLimit: connectionsOfLogin(settings.reserveConcurrency),
  roles: sorted(roles, (name, { privileges }) => ({
    groupRole: groupRoleName(tag, name),
    privileges,
  })),
  grants: Object.values(sorted(grants, (_, grant) => grant)),
});

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
