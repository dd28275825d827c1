import {
  DescribeDBInstancesCommand,
  ModifyDBInstanceCommand,
  type RDSClient,
} from "@aws-sdk/client-rds";
import { Secret } from "../../core/secret.ts";
import { scramVerifier } from "../../lambda/postgres/connection/scram.ts";
import { ident, literal, sql } from "../../lambda/postgres/connection/sql.ts";
import { runAs, type TestDatabase } from "./provisioned.ts";

/** What a rotation asks of RDS, by name, so that each call can be made to fail. */
export interface MemoryRds {
  describe(): Promise<object>;
  modify(input: { readonly MasterUserPassword?: string | undefined }): Promise<object>;
}

/**
 * One instance in memory, whose master user is `username` on a real server. As RDS does, it accepts a
 * password at once, and says for one look that it is not applied yet.
 */
export function memoryRds({ superuser }: TestDatabase, username: string): MemoryRds {
  let pending = false;
  return {
    describe: async () => {
      const isPending = pending;
      pending = false;
      return {
        DBInstances: [
          {
            MasterUsername: username,
            DBInstanceStatus: isPending ? "resetting-master-credentials" : "available",
            PendingModifiedValues: isPending ? { MasterUserPassword: "****" } : {},
          },
        ],
      };
    },
    modify: async ({ MasterUserPassword = "" }) => {
      const verifier = literal(await scramVerifier(new Secret(MasterUserPassword)));
      await runAs(superuser(), sql`alter role ${ident(username)} password ${verifier}`);
      pending = true;
      return {};
    },
  };
}

/** The same as a client of the SDK. @throws Error for any other command. */
export const rdsClient = (rds: MemoryRds): Pick<RDSClient, "send"> => ({
  send: (async (command: object) => {
    if (command instanceof DescribeDBInstancesCommand) return rds.describe();
    if (command instanceof ModifyDBInstanceCommand) return rds.modify(command.input);
    throw new Error(`there is no ${command.constructor.name} here`);
  }) as RDSClient["send"],
});
