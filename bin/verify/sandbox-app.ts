/** The names in the sandbox's configuration. */
export const SANDBOX = {
  database: "orders",
  role: "readonly",
  consumer: "verify",
  userSecret: "reports",
  masterSecret: "admin",
} as const;

/** Default lifetimes of the role. Each makes another version of the issuer. */
const TTLS = { first: "1h", changed: "30m" } as const;
export type SandboxVersion = keyof typeof TTLS;

/** A sandbox with one of each resource that the checks need. */
export const sandboxConfig = (version: SandboxVersion): object => ({
  databases: {
    [SANDBOX.database]: {
      sandbox: true,
      databases: ["orders"],
      owner: "app_owner",
      roles: { [SANDBOX.role]: { select: ["public.*"], ttl: TTLS[version], maxTtl: "24h" } },
      secrets: {
        [SANDBOX.userSecret]: {
          strategy: "single-user",
          username: "reports",
          role: SANDBOX.role,
        },
        [SANDBOX.masterSecret]: { strategy: "master-user", schedule: "cron(0 4 1 * ? *)" },
      },
    },
  },
  consumers: {
    [SANDBOX.consumer]: { sandbox: true, roles: [`${SANDBOX.database}/${SANDBOX.role}`] },
  },
});

/** A CDK app with one stack, as the text of an ES module. It imports this package by name. */
export const sandboxApp = (stackName: string, version: SandboxVersion): string => `
import { App } from "aws-cdk-lib";
import { MayflyStack } from "mayfly";
import { parseConfig } from "mayfly/config";

const app = new App();
const config = parseConfig(${JSON.stringify(sandboxConfig(version), null, 2)});
new MayflyStack(app, ${JSON.stringify(stackName)}, { config });
app.synth();
`;
