/** A `mayfly.config.ts` as a user writes it. */
export const USERS_CONFIG = `import { defineConfig } from "mayfly/config";

export default defineConfig({
  databases: {
    orders: {
      sandbox: true,
      databases: ["orders"],
      owner: "app_owner",
      roles: { readonly: { select: ["public.*"], ttl: "1h", maxTtl: "24h" } },
    },
  },
  consumers: { "user-service": { sandbox: true, roles: ["orders/readonly"] } },
});
`;

/** A CDK app as a user writes it, with a mistake for each type that must hold. */
export const USERS_APP = `import { App, Duration } from "aws-cdk-lib";
import { type Credential, type DynamicDatabase, type DynamicRoleProps, MayflyStack } from "mayfly";
import { parseConfig, type RoleConfig } from "mayfly/config";
import config from "./mayfly.config.ts";

new MayflyStack(new App(), "Mayfly", { config: parseConfig(config) });

export const role: RoleConfig = { select: ["public.*"], ttl: "1h", maxTtl: "24h" };
// @ts-expect-error a role lives for a while
export const endless: RoleConfig = { select: ["public.*"] };
export const props: DynamicRoleProps = { ttl: Duration.hours(1), maxTtl: Duration.hours(2) };
// @ts-expect-error the constructs take a Duration
export const words: DynamicRoleProps = { ttl: "1h", maxTtl: "2h" };
export const userOf = ({ username }: Credential): string => username;
export const issuerOf = (database: DynamicDatabase): string => database.issuerArn;
`;
