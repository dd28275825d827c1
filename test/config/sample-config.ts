import { expect } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { ConfigError } from "../../core/errors.ts";

export const role = { select: ["public.*"], ttl: "1h", maxTtl: "24h" };
export const settings = { databases: ["orders"], owner: "app_owner", roles: { ro: role } };
export const sandbox = { sandbox: true, ...settings } as const;
export const vpc = {
  vpcId: "vpc-0123456789abcdef0",
  availabilityZones: ["eu-west-1a", "eu-west-1b"],
  privateSubnetIds: ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
  securityGroupId: "sg-0123456789abcdef0",
};
export const host = { host: "db.example.com", adminSecret: "db/admin", vpc, ...settings };
export const consumer = { newRole: { assumedBy: "account" }, roles: ["orders/ro"] };

/** Configurations that are right but for one change, and of any shape: they are to be refused. */
export const withDatabase = (database: unknown) => ({
  databases: { orders: database },
  consumers: {},
});
export const withRole = (change: object) =>
  withDatabase({ ...sandbox, roles: { ro: { ...role, ...change } } });
export const withHost = (change: object) => withDatabase({ ...host, ...change });
export const withConsumer = (change: object) => ({
  databases: { orders: sandbox },
  consumers: { app: { ...consumer, ...change } },
});

/** The lines of the error, or none if the configuration is accepted. */
export function problemsOf(config: unknown): readonly string[] {
  try {
    parseConfig(config);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n");
  }
}

/** The path of each problem. */
export const pathsOf = (config: unknown): readonly string[] =>
  problemsOf(config).map((line) => line.slice(0, line.indexOf(": ")));

/** A problem by its path and the wrong value, whatever the sentence. `undefined`: it is missing. */
export const problemAt = (path: string, value: unknown): unknown => {
  const line = `${path}: ${value === undefined ? "missing;" : `${JSON.stringify(value)} `}`;
  return expect.toSatisfy((text) => String(text).startsWith(line), `begins with ${line}`);
};
