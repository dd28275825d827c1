/** What a user writes with the package's types, with a mistake for each that must hold. */
export const USERS_TYPES = `import { Duration } from "aws-cdk-lib";
import type { Credential, DynamicDatabase, DynamicRoleProps } from "mayfly";
import type { RoleConfig } from "mayfly/config";
import { type Keeper, leasedClient, poolOptions } from "mayfly/pg";
import pg from "pg";

export const role: RoleConfig = { select: ["public.*"], ttl: "1h", maxTtl: "24h" };
// @ts-expect-error a role lives for a while
export const endless: RoleConfig = { select: ["public.*"] };
export const props: DynamicRoleProps = { ttl: Duration.hours(1), maxTtl: Duration.hours(2) };
// @ts-expect-error the constructs take a Duration
export const words: DynamicRoleProps = { ttl: "1h", maxTtl: "2h" };
export const userOf = ({ username }: Credential): string => username;
export const poolOf = async (lease: Keeper): Promise<pg.Pool> =>
  new pg.Pool({ Client: leasedClient(lease), ...(await poolOptions(lease)), max: 4 });
// @ts-expect-error a lease brings the user
export const mixed = (lease: Keeper) => leasedClient(lease, { user: "app" });
export const issuerOf = (database: DynamicDatabase): string => database.issuerArn;
`;
